//! How a script gets to the host's `sh`, whatever the user's login shell is.
//!
//! An SSH server hands a command to the login shell, and shells read quotes, backslashes and line ends in different
//! ways. So the command is always the same few words, which fish, csh and rc read as POSIX shells do, and the script
//! comes on standard input, before what the script itself reads. There is no limit to its length there, and nobody
//! sees it in the list of processes.
//!
//! That costs a round trip: OpenSSH takes no input for a command before it has started it. A short script of one line
//! that all these shells read alike is a part of the command instead.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::output::{Lines, OutputMode};

/// What the script's own output comes after: what was printed before is the login's. In the script this stands as an
/// escape, so that a host which only repeats what it was sent does not print it.
const BEGIN: &[u8] = b"\x1essh-exec\n";

/// How much of what a login prints is kept for an error message, in bytes.
const LOGIN_BYTES: usize = 16 * 1024;

/// A script with the command that reads it.
pub(crate) struct Sent {
    /// For the login shell.
    pub(crate) command: String,
    /// For standard input.
    pub(crate) script: Vec<u8>,
}

/// A user of the host whom scripts run as, by `sudo` without a password.
///
/// The name is a word in every login shell: letters, digits, `_`, `-` and `.`, and no `-` at the beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SudoUser(String);

impl FromStr for SudoUser {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        match !text.starts_with('-') && !text.is_empty() && text.bytes().all(is_good) {
            true => Ok(Self(text.to_owned())),
            false => Err(format!("{text:?} is not the name of a user, such as root")),
        }
    }
}

impl fmt::Display for SudoUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The longest script that is a part of the command, in bytes. Servers and shells have limits of their own: dropbear's is
/// 9000 (`MAX_CMD_LEN` in its sysoptions.h).
const LONGEST_LINE: usize = 4096;

/// Whether a script between single quotes is the same in every login shell. fish reads `\\` and `\'` there, csh `!` and
/// line ends.
fn is_read_alike(script: &str) -> bool {
    let is_odd = |c: char| matches!(c, '\'' | '!') || c.is_control();
    let has_escape = script.contains(r"\\") || script.ends_with('\\');
    script.len() <= LONGEST_LINE && !script.contains(is_odd) && !has_escape
}

/// Makes a script ready to be sent. With a user, `sudo` runs the shell that reads it, so that nothing that the script
/// sets is lost on the way.
pub(crate) fn sent(script: &str, user: Option<&SudoUser>) -> Sent {
    // sudo-rs takes the same options; there -H is the default.
    let sudo = user.map_or_else(String::new, |user| format!("sudo -n -H -u {user} "));
    if is_read_alike(script) {
        return Sent {
            command: format!("exec {sudo}sh -c 'printf \"\\036ssh-exec\\n\"; {script}'"),
            script: Vec::new(),
        };
    }
    // In braces, so that all of it is read before any of it runs.
    let script = format!("{{ printf '\\036ssh-exec\\n'\n{script}\n}}\n");
    let count = script.lines().count();
    let read = read_lines("s", count);
    // A connection may break while the script is sent, and a start-up file of the login may read a part of it.
    let command = format!(
        "exec {sudo}sh -c '{read}; case $i$s in \"{count}{{ printf \"*) eval \"$s\" ;; *) echo \"the script did not arrive whole; \
         does a start-up file of the login shell read standard input?\" >&2; exit 1 ;; esac'"
    );
    Sent {
        command,
        script: script.into_bytes(),
    }
}

/// Shell commands that read so many lines into a variable, and the number of those that came into `i`. Unlike `dd` and
/// `head` of some hosts, a shell's own `read` leaves everything behind them to the commands that follow.
fn read_lines(variable: &str, count: usize) -> String {
    format!(
        r#"n=$(printf "\n_") n=${{n%_}} i=0 {variable}=; while [ $i -lt {count} ] && IFS= read -r l; do {variable}=${variable}$l$n i=$((i + 1)); done"#
    )
}

/// Tells a script's own output from what was printed before it began.
#[derive(Default)]
pub(crate) struct Beginning {
    login: Vec<u8>,
    has_begun: bool,
}

impl Beginning {
    /// The script's own part of what came.
    pub(crate) fn own<'a>(&mut self, data: &'a [u8]) -> Cow<'a, [u8]> {
        if self.has_begun {
            return Cow::Borrowed(data);
        }
        self.login.extend_from_slice(data);
        let found = self.login.windows(BEGIN.len()).position(|at| at == BEGIN);
        if let Some(at) = found {
            self.has_begun = true;
            return Cow::Owned(self.login.split_off(at + BEGIN.len()));
        }
        if self.login.len() > 2 * LOGIN_BYTES {
            self.login.drain(..self.login.len() - LOGIN_BYTES);
        }
        Cow::Borrowed(&[])
    }

    /// Whether the script runs. Adds what was printed instead to `tail` when it does not.
    pub(crate) fn has_begun(&self, tail: &mut Vec<String>) -> bool {
        if !self.has_begun {
            let mut lines = Lines::of_stdout();
            lines.push(&self.login, OutputMode::Tail, tail);
            lines.finish(OutputMode::Tail, tail);
        }
        self.has_begun
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::{BEGIN, Beginning, SudoUser, sent};

    /// What `sh` makes of the command with this on its standard input: whether it ended well, and what it printed.
    fn run(command: &str, input: &[u8]) -> (bool, Vec<u8>) {
        let mut child = Command::new("sh")
            .args(["-c", command])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Whoever refuses a script does not read what follows.
        drop(child.stdin.take().unwrap().write_all(input));
        let output = child.wait_with_output().unwrap();
        (output.status.success(), output.stdout)
    }

    #[test]
    fn a_part_of_a_script_does_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let made = folder.path().join("made");
        let at = made.display();
        let script = format!("echo >{at}\ncat <<END >{at}\n${{x}}\nEND\nif :; then echo >{at}; fi");
        let sent = sent(&script, None);
        for length in 0..sent.script.len() {
            let (ended_well, _) = run(&sent.command, &sent.script[..length]);
            assert!(!ended_well && !made.exists(), "{length}");
            // What a login swallowed is followed by the rest and by what the script was to read.
            let rest = [&sent.script[length + 1..], b"}\n\n\n\n\n\n"].concat();
            let (ended_well, _) = run(&sent.command, &rest);
            assert!(!ended_well && !made.exists(), "{length}");
        }
        assert!(run(&sent.command, &sent.script).0 && made.exists());
    }

    #[test]
    fn a_script_reads_what_comes_behind_it() {
        for script in ["cat; exit 0", "cat\nexit 0"] {
            let sent = sent(script, None);
            let input = [sent.script.as_slice(), b"one\0two"].concat();
            let printed = [BEGIN, b"one\0two"].concat();
            assert_eq!(run(&sent.command, &input), (true, printed));
        }
    }

    #[test]
    fn what_shells_read_alike_is_a_part_of_the_command() {
        for script in ["echo one", r#"printf "\036é $HOME\n"; { id; }"#] {
            assert!(sent(script, None).script.is_empty(), "{script}");
        }
        let long = "x".repeat(5000);
        for script in [
            "echo 'one'",
            "one\ntwo",
            "echo !",
            r"echo \\",
            r"echo \",
            &long,
        ] {
            let sent = sent(script, None);
            assert!(
                !sent.script.is_empty() && !sent.command.contains("echo one"),
                "{script}"
            );
        }
    }

    #[test]
    fn what_a_login_prints_is_no_output_of_the_script() {
        let text = [b"Welcome\n".as_slice(), BEGIN, b"one\n", BEGIN].concat();
        for length in 1..text.len() {
            let (mut beginning, mut own) = (Beginning::default(), Vec::new());
            for chunk in text.chunks(length) {
                own.extend_from_slice(&beginning.own(chunk));
            }
            assert_eq!(own, [b"one\n", BEGIN].concat());
            assert!(beginning.has_begun(&mut Vec::new()));
        }
        let (mut beginning, mut tail) = (Beginning::default(), Vec::new());
        for n in 0..10_000 {
            let line = format!("not available {n}\n");
            assert!(beginning.own(line.as_bytes()).is_empty());
        }
        assert!(!beginning.has_begun(&mut tail));
        assert_eq!(tail.last().unwrap(), "not available 9999");
    }

    #[test]
    fn a_user_is_one_word_in_every_shell() {
        for name in ["root", "www-data", "svc_app.1"] {
            let user: SudoUser = name.parse().unwrap();
            let sent = sent("id", Some(&user));
            let begin = format!("exec sudo -n -H -u {name} sh -c '");
            assert!(sent.command.starts_with(&begin), "{}", sent.command);
        }
        for name in ["", "-u", "a b", "a;b", "$HOME", "a'b", "#0"] {
            assert!(name.parse::<SudoUser>().is_err(), "{name}");
        }
    }
}
