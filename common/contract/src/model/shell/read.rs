//! Reading a script: words, quotation, nesting, here-documents.

use super::command::{Command, Join, Word, is_name};

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
