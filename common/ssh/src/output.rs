//! The output of a command, cut into lines for people.

use action::redact;

/// How the output of a command is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputMode {
    /// Data for the caller.
    Nothing,
    /// As [`OutputMode::Nothing`], and that it still runs is logged, under this name.
    Progress(&'static str),
    /// Lines for people, kept for when they are needed.
    Tail,
    /// Each line is also logged as it comes, under this name.
    Lines(&'static str),
}

/// How many of the last lines of a command are kept for an error message.
const TAIL_LINES: usize = 200;

/// What is longer than this is no line for people; the rest of it is left out.
const LINE_BYTES: usize = 16 * 1024;

/// How much of a line is read, so that secrets in what is shown are known for ones.
const READ_BYTES: usize = 2 * LINE_BYTES;

/// Cuts one stream into lines as they come.
#[derive(Default)]
pub(crate) struct Lines {
    partial: Vec<u8>,
    is_stdout: bool,
}

impl Lines {
    pub(crate) fn of_stdout() -> Self {
        Self {
            is_stdout: true,
            ..Self::default()
        }
    }

    pub(crate) fn of_stderr() -> Self {
        Self::default()
    }

    pub(crate) fn push(&mut self, data: &[u8], mode: OutputMode, tail: &mut Vec<String>) {
        // What our own scripts answer is data. What went wrong is told on the other stream, and must not drown in it.
        if self.is_stdout && matches!(mode, OutputMode::Nothing | OutputMode::Progress(_)) {
            return;
        }
        for byte in data {
            // Progress displays return the carriage; each state of theirs is a line to us.
            if matches!(byte, b'\n' | b'\r') {
                self.finish(mode, tail);
            } else if self.partial.len() < READ_BYTES {
                self.partial.push(*byte);
            }
        }
    }

    pub(crate) fn finish(&mut self, mode: OutputMode, tail: &mut Vec<String>) {
        if self.partial.is_empty() {
            return;
        }
        let line = plain(&String::from_utf8_lossy(&self.partial));
        // Before it is cut: a part of a secret is known for one no more.
        let mut line = redact::redacted(&line).into_owned();
        let whole = match self.partial.len() {
            READ_BYTES => line.len().saturating_sub(redact::longest()),
            _ => line.len(),
        };
        line.truncate(line.floor_char_boundary(whole.min(LINE_BYTES)));
        self.partial.clear();
        if let OutputMode::Lines(name) = mode {
            tracing::info!("{name}: {line}");
        }
        if tail.len() == TAIL_LINES {
            tail.remove(0);
        }
        tail.push(line);
    }
}

/// A line without colours, cursor movements and other control characters, of which programs send
/// some even where there is no terminal.
pub(crate) fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' && chars.next_if_eq(&'[').is_some() {
            // Parameters, then one letter that ends the sequence.
            let _ = chars.find(|c| ('@'..='~').contains(c));
        } else if c == '\t' || !c.is_control() {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use action::settings::secret::Secret;

    use super::{Lines, OutputMode};

    #[test]
    fn lines_are_cut_whatever_the_chunks() {
        let (mut lines, mut tail) = (Lines::of_stdout(), Vec::new());
        for chunk in ["on", "e\ntw", "o\r\n\nthree", " \u{1b}[1mfo", "ur"] {
            lines.push(chunk.as_bytes(), OutputMode::Tail, &mut tail);
        }
        lines.finish(OutputMode::Tail, &mut tail);
        assert_eq!(tail, ["one", "two", "three four"]);
    }

    #[test]
    fn the_last_words_are_kept_however_much_comes_at_once() {
        let text: String = (0..1000).map(|n| format!("{n:0100}\n")).collect();
        let kept = |mut lines: Lines, mode, text: &str| {
            let mut tail = Vec::new();
            lines.push(text.as_bytes(), mode, &mut tail);
            lines.finish(mode, &mut tail);
            tail
        };
        for tail in [
            kept(Lines::of_stdout(), OutputMode::Tail, &text),
            kept(Lines::of_stderr(), OutputMode::Nothing, &text),
        ] {
            assert_eq!(tail.len(), 200);
            assert_eq!(tail[199], format!("{:0100}", 999));
        }
        // An answer to one of our own scripts is no text for people, however little comes at once.
        for mode in [OutputMode::Nothing, OutputMode::Progress("send")] {
            for answer in [text.as_str(), &text[..1000]] {
                assert!(kept(Lines::of_stdout(), mode, answer).is_empty());
            }
        }
        let endless = kept(Lines::of_stdout(), OutputMode::Tail, &"x".repeat(1_000_000));
        assert_eq!(endless[0].len(), super::LINE_BYTES);
    }

    #[test]
    fn a_secret_is_hidden_before_its_line_is_cut() {
        let secret = "sentinel-across-the-cut";
        action::redact::hide([Secret::from(secret.to_owned())]);
        let before = "x".repeat(super::LINE_BYTES - 12);
        let (mut lines, mut tail) = (Lines::of_stderr(), Vec::new());
        lines.push(
            format!("{before}{secret}\n").as_bytes(),
            OutputMode::Tail,
            &mut tail,
        );
        assert_eq!(tail, [format!("{before}[secret]")]);
    }
}
