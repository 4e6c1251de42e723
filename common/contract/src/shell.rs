//! The commands of a shell script, as far as the checks of a buildspec need them.
//!
//! This reads POSIX shell to find commands, their words and how they are joined; it expands nothing
//! and runs nothing. A script that it cannot follow to the end has no commands here, because a wrong
//! finding is worse than none.

/// How a command is joined to the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    /// A line end, `;`, or the end of the script.
    Next,
    /// `&&`.
    And,
    /// `||`.
    Or,
    /// `|`.
    Pipe,
    /// `&`.
    Background,
}

/// One simple command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The line in the script on which it begins, counted from 0.
    pub line: usize,
    /// Its words; assignments in front are words.
    pub words: Vec<Word>,
    /// In how many `( )` it stands.
    pub subshells: usize,
    /// In how many `if`, `for`, `while`, `case`, `{ }` or functions it stands.
    pub nested: usize,
    /// How many of these are still open after it.
    pub open_after: usize,
    /// What stands before it.
    pub before: Join,
    /// What stands after it.
    pub after: Join,
}

/// One word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Word {
    /// Without the quotation marks; expansions as they are written.
    pub text: String,
    /// What stands in its `$(…)` and backticks.
    pub substitutions: Vec<String>,
}

impl Word {
    /// The variable of an assignment, `NAME=value`.
    #[must_use]
    pub fn assigned(&self) -> Option<&str> {
        let (name, _) = self.text.split_once('=')?;
        is_name(name).then_some(name)
    }
}

impl Command {
    /// The command itself, after assignments in front of it.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.arguments().first().map(|word| word.text.as_str())
    }

    /// The words from the command's name on.
    #[must_use]
    pub fn arguments(&self) -> &[Word] {
        let at = self
            .words
            .iter()
            .position(|word| word.assigned().is_none())
            .unwrap_or(self.words.len());
        &self.words[at..]
    }

    /// The variables that the command sets in its own shell.
    #[must_use]
    pub fn sets(&self) -> Vec<&str> {
        let arguments = self.arguments();
        match self.name() {
            None => self.words.iter().filter_map(Word::assigned).collect(),
            Some("export" | "readonly" | "declare" | "typeset") => arguments[1..]
                .iter()
                .filter_map(|word| {
                    word.assigned()
                        .or_else(|| is_name(&word.text).then_some(word.text.as_str()))
                })
                .collect(),
            Some("read") => arguments[1..]
                .iter()
                .map(|word| word.text.as_str())
                .filter(|text| is_name(text))
                .collect(),
            Some(_) => Vec::new(),
        }
    }

    /// The file that the command sources with `.` or `source`.
    #[must_use]
    pub fn sources(&self) -> Option<&Word> {
        match self.arguments() {
            [name, file, ..] if name.text == "." || name.text == "source" => Some(file),
            _ => None,
        }
    }
}

/// Whether a text is a shell variable's name.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The commands of a script in order; nothing when it cannot be followed to its end.
#[must_use]
pub fn commands(script: &str) -> Option<Vec<Command>> {
    let mut reader = Reader {
        rest: script,
        line: 0,
        commands: Vec::new(),
        words: Vec::new(),
        word: None,
        start: 0,
        subshells: 0,
        nested: 0,
        cases: Vec::new(),
        before: Join::Next,
        heredocs: Vec::new(),
    };
    reader.read()?;
    (reader.subshells == 0 && reader.nested == 0).then_some(reader.commands)
}

struct Reader<'s> {
    rest: &'s str,
    line: usize,
    commands: Vec<Command>,
    words: Vec<Word>,
    word: Option<Word>,
    start: usize,
    subshells: usize,
    nested: usize,
    /// For each open `case`, how many `( )` were open when it began, and whether a pattern is due.
    cases: Vec<(usize, bool)>,
    before: Join,
    /// Delimiters of here-documents whose text begins on the next line, and whether tabs are cut.
    heredocs: Vec<(String, bool)>,
}

impl<'s> Reader<'s> {
    /// Whether a pattern of a `case` stands here.
    fn in_pattern(&self) -> bool {
        self.cases.last() == Some(&(self.subshells, true))
    }

    fn expect_pattern(&mut self, expected: bool) {
        if let Some((open, pattern)) = self.cases.last_mut()
            && *open == self.subshells
        {
            *pattern = expected;
        }
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        if c == '\n' {
            self.line += 1;
        }
        Some(c)
    }

    fn eat(&mut self, text: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(text) else {
            return false;
        };
        self.line += text.matches('\n').count();
        self.rest = rest;
        true
    }

    fn word(&mut self) -> &mut Word {
        if self.word.is_none() && self.words.is_empty() {
            self.start = self.line;
        }
        self.word.get_or_insert_default()
    }

    fn read(&mut self) -> Option<()> {
        loop {
            if self.rest.is_empty() {
                self.end_command(Join::Next)?;
                return Some(());
            }
            if self.word.is_none() && self.rest.starts_with('#') {
                let end = self.rest.find('\n').unwrap_or(self.rest.len());
                self.rest = &self.rest[end..];
                continue;
            }
            if self.eat("\\\n") || self.eat("\\\r\n") {
                continue;
            }
            if self.eat("&&") {
                self.end_command(Join::And)?;
            } else if self.eat("||") {
                self.end_command(Join::Or)?;
            } else if self.eat(";;") || self.eat(";&") {
                self.end_command(Join::Next)?;
                self.expect_pattern(true);
            } else if self.eat("&>") || self.eat(">&") || self.eat("<&") {
                self.word().text.push_str(">&");
            } else if self.in_pattern() && self.eat("|") {
                self.word = None;
                self.words.clear();
            } else if self.eat("|&") || self.eat("|") {
                self.end_command(Join::Pipe)?;
            } else if self.eat("<<<") {
                self.end_word()?;
            } else if self.eat("<<") {
                self.heredoc()?;
            } else if self.eat("<(") || self.eat(">(") {
                let inner = self.balanced()?;
                self.word().substitutions.push(inner);
            } else {
                self.character()?;
            }
        }
    }

    fn character(&mut self) -> Option<()> {
        match self.next()? {
            '\n' => {
                self.end_command(Join::Next)?;
                self.skip_heredocs()?;
            }
            ';' => self.end_command(Join::Next)?,
            '&' => self.end_command(Join::Background)?,
            ' ' | '\t' | '\r' => self.end_word()?,
            '(' => self.open()?,
            ')' => self.close()?,
            '\'' => {
                let end = self.rest.find('\'')?;
                let text = &self.rest[..end];
                self.line += text.matches('\n').count();
                self.word().text.push_str(text);
                self.rest = &self.rest[end + 1..];
            }
            '"' => self.double_quoted()?,
            '`' => self.backtick()?,
            '$' => self.dollar()?,
            '\\' => {
                let c = self.next()?;
                self.word().text.push(c);
            }
            c => self.word().text.push(c),
        }
        Some(())
    }

    fn double_quoted(&mut self) -> Option<()> {
        self.word();
        loop {
            match self.next()? {
                '"' => return Some(()),
                '\\' => {
                    let c = self.next()?;
                    self.word().text.push(c);
                }
                '`' => self.backtick()?,
                '$' => self.dollar()?,
                c => self.word().text.push(c),
            }
        }
    }

    fn backtick(&mut self) -> Option<()> {
        let mut inner = String::new();
        loop {
            match self.next()? {
                '`' => break,
                '\\' => inner.extend(self.next()),
                c => inner.push(c),
            }
        }
        let word = self.word();
        word.text.push_str("$(…)");
        word.substitutions.push(inner);
        Some(())
    }

    fn dollar(&mut self) -> Option<()> {
        if self.eat("((") {
            // Arithmetic, or a subshell first in a substitution; either way it ends where it closes.
            let inner = self.balanced()?;
            if !self.eat(")") {
                let rest = self.balanced()?;
                let word = self.word();
                word.text.push_str("$(…)");
                word.substitutions.push(format!("({inner}){rest}"));
                return Some(());
            }
            self.word().text.push_str("$((…))");
        } else if self.eat("(") {
            let inner = self.balanced()?;
            let word = self.word();
            word.text.push_str("$(…)");
            word.substitutions.push(inner);
        } else if self.eat("{") {
            let start = self.rest;
            let mut depth = 1;
            while depth > 0 {
                match self.next()? {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    '\\' => drop(self.next()?),
                    _ => {}
                }
            }
            let length = start.len() - self.rest.len();
            let text = format!("${{{}", &start[..length]);
            self.word().text.push_str(&text);
        } else {
            self.word().text.push('$');
        }
        Some(())
    }

    /// The text up to the `)` that closes what was opened.
    fn balanced(&mut self) -> Option<String> {
        let start = self.rest;
        let mut depth = 1;
        loop {
            match self.next()? {
                '(' => depth += 1,
                ')' => {
                    depth -= 1;
                    if depth == 0 {
                        let length = start.len() - self.rest.len() - 1;
                        return Some(start[..length].to_owned());
                    }
                }
                '\\' => drop(self.next()?),
                '\'' => while self.next()? != '\'' {},
                '"' => loop {
                    match self.next()? {
                        '"' => break,
                        '\\' => drop(self.next()?),
                        '$' if self.eat("(") => drop(self.balanced()?),
                        _ => {}
                    }
                },
                _ => {}
            }
        }
    }

    fn heredoc(&mut self) -> Option<()> {
        let tabs = self.eat("-");
        while self.eat(" ") || self.eat("\t") {}
        let end = self
            .rest
            .find(|c: char| c.is_whitespace() || ";|&)<>".contains(c))
            .unwrap_or(self.rest.len());
        let delimiter: String = self.rest[..end].replace(['\'', '"', '\\'], "");
        self.rest = &self.rest[end..];
        if delimiter.is_empty() {
            return None;
        }
        self.heredocs.push((delimiter, tabs));
        self.end_word()
    }

    fn skip_heredocs(&mut self) -> Option<()> {
        for (delimiter, tabs) in std::mem::take(&mut self.heredocs) {
            loop {
                if self.rest.is_empty() {
                    // The end of the script ends a here-document as well.
                    return Some(());
                }
                let end = self.rest.find('\n').unwrap_or(self.rest.len());
                let mut line = self.rest[..end].trim_end_matches('\r');
                if tabs {
                    line = line.trim_start_matches('\t');
                }
                let found = line == delimiter;
                if self.rest[end..].starts_with('\n') {
                    self.line += 1;
                    self.rest = &self.rest[end + 1..];
                } else {
                    self.rest = "";
                }
                if found {
                    break;
                }
            }
        }
        Some(())
    }

    fn open(&mut self) -> Option<()> {
        if let Some(word) = &self.word
            && self.words.is_empty()
            && self.rest.starts_with(')')
            && (is_name(&word.text) || word.text.contains('-'))
        {
            // `name()`: a function, whose body is a group that follows.
            self.rest = &self.rest[1..];
            self.word = None;
            return Some(());
        }
        if let Some(word) = &mut self.word {
            if word.text.ends_with('=') {
                // An array: its words do not matter.
                let inner = self.balanced()?;
                self.word().text.push_str(&format!("({inner})"));
                return Some(());
            }
            return None;
        }
        if self.in_pattern() {
            // The optional `(` before a pattern.
            return Some(());
        }
        self.end_command(Join::Next)?;
        self.subshells += 1;
        Some(())
    }

    fn close(&mut self) -> Option<()> {
        if self.in_pattern() {
            self.expect_pattern(false);
            self.word = None;
            self.words.clear();
            return Some(());
        }
        self.end_command(Join::Next)?;
        self.subshells = self.subshells.checked_sub(1)?;
        Some(())
    }

    fn end_word(&mut self) -> Option<()> {
        let Some(word) = self.word.take() else {
            return Some(());
        };
        if !self.words.is_empty() {
            self.words.push(word);
            return Some(());
        }
        // A reserved word counts where a command may begin.
        match word.text.as_str() {
            "if" | "while" | "until" | "{" => self.nested += 1,
            "for" | "select" | "function" | "[[" | "case" => {
                if word.text == "[[" {
                    // Its `&&`, `||`, `(` and `<` join no commands.
                    let end = self.rest.find("]]").map(|at| at + 2)?;
                    self.line += self.rest[..end].matches('\n').count();
                    self.rest = &self.rest[end..];
                } else if word.text != "function" {
                    self.nested += 1;
                }
                if word.text == "case" {
                    self.cases.push((self.subshells, true));
                    // Up to `in`, which the line end or the first pattern follows.
                    let end = self.rest.find(" in").map(|at| at + 3)?;
                    self.line += self.rest[..end].matches('\n').count();
                    self.rest = &self.rest[end..];
                    return Some(());
                }
                self.words.push(word);
            }
            "then" | "do" | "else" | "elif" | "!" | "time" => {}
            "fi" | "done" | "esac" | "}" => {
                self.nested = self.nested.checked_sub(1)?;
                if word.text == "esac" {
                    self.cases.pop()?;
                }
                let nested = self.nested;
                if let Some(last) = self.commands.last_mut() {
                    last.open_after = nested;
                }
            }
            _ => self.words.push(word),
        }
        Some(())
    }

    fn end_command(&mut self, join: Join) -> Option<()> {
        self.end_word()?;
        let words = std::mem::take(&mut self.words);
        if words.is_empty() {
            // Blank lines, and what follows a closing word: the join belongs to what closed there.
            if join != Join::Next
                && let Some(last) = self.commands.last_mut()
            {
                last.after = join;
                self.before = join;
            }
            return Some(());
        }
        self.commands.push(Command {
            line: self.start,
            words,
            subshells: self.subshells,
            nested: self.nested,
            open_after: self.nested,
            before: self.before,
            after: join,
        });
        self.before = join;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use proptest::prelude::*;

    use super::*;

    fn read(script: &str) -> Vec<String> {
        let all = commands(script).unwrap_or_else(|| panic!("not followed: {script}"));
        all.iter()
            .map(|one| {
                let words: Vec<_> = one.words.iter().map(|word| word.text.as_str()).collect();
                format!(
                    "{}:{} {}{}",
                    one.line,
                    words.join(" "),
                    "(".repeat(one.subshells),
                    "{".repeat(one.nested)
                )
                .trim_end()
                .to_owned()
            })
            .collect()
    }

    #[test]
    fn commands_words_and_nesting() {
        assert_eq!(
            read("a b; c && d || e | f & g"),
            ["0:a b", "0:c", "0:d", "0:e", "0:f", "0:g"]
        );
        assert_eq!(
            read("if test -f x; then\n  a\nelse b; fi\nc # d"),
            ["0:test -f x {", "1:a {", "2:b {", "3:c"]
        );
        assert_eq!(read("(a; b)\nc"), ["0:a (", "0:b (", "1:c"]);
        assert_eq!(read("f() { a; }\nf"), ["0:a {", "1:f"]);
        assert_eq!(
            read("case $X in\n  a|b) c ;;\n  (d) e;;\nesac\ng"),
            ["1:c {", "2:e {", "4:g"]
        );
        assert_eq!(
            read("[[ -n \"$A\" && ( $B < 2 || $C ) ]] && c; d"),
            ["0:[[", "0:c", "0:d"]
        );
        assert_eq!(
            read("for i in 1 2; do a $i; done | b"),
            ["0:for i in 1 2 {", "0:a $i {", "0:b"]
        );
        assert_eq!(read("cat <<EOF > x\nif (\nEOF\nb"), ["0:cat > x", "3:b"]);
        assert_eq!(read("a \\\n  b\nc"), ["0:a b", "2:c"]);
        assert_eq!(
            read("echo 'a; b' \"c | d\" e\\;f"),
            ["0:echo a; b c | d e;f"]
        );
        assert_eq!(
            read("X=$((1 + 2)) Y=${Z:-(} A=(1 2)"),
            ["0:X=$((…)) Y=${Z:-(} A=(1 2)"]
        );
    }

    #[test]
    fn substitutions_are_kept() {
        let all = commands("export A=\"$(b \"$(c)\" || d)\" E=`f`").unwrap();
        let inner: Vec<_> = all[0]
            .words
            .iter()
            .flat_map(|word| &word.substitutions)
            .collect();
        assert_eq!(inner, ["b \"$(c)\" || d", "f"]);
        assert_eq!(all[0].sets(), ["A", "E"]);
        assert_eq!(
            commands("A=1 B=2 cmd C=3").unwrap()[0].sets(),
            [] as [&str; 0]
        );
        assert_eq!(commands("A=1 B=2").unwrap()[0].sets(), ["A", "B"]);
        assert_eq!(
            commands(". \"$PWD/x\"").unwrap()[0].sources().unwrap().text,
            "$PWD/x"
        );
    }

    #[test]
    fn what_cannot_be_followed_has_no_commands() {
        for script in ["a 'b", "(a", "a)", "if a; then b", "fi", "a \"$(b\""] {
            assert_eq!(commands(script), None, "{script}");
        }
    }

    proptest! {
        #[test]
        fn no_script_makes_it_panic(script in "[a-z=$(){}'\"`\\\\;&|<>#\\n ]{0,40}") {
            drop(commands(&script));
        }
    }
}
