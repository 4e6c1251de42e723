//! How a script gets to `sh`.
//!
//! It comes on standard input, before what the script itself reads. There is no limit to its length there, and nobody
//! sees it in the list of processes.

/// A script with the command that reads it.
pub(crate) struct Sent {
    /// For `sh -c`.
    pub(crate) command: String,
    /// For standard input.
    pub(crate) script: Vec<u8>,
}

/// Makes a script ready to be run.
pub(crate) fn sent(script: &str) -> Sent {
    // In braces, so that all of it is read before any of it runs.
    let script = format!("{{ :\n{script}\n}}\n");
    let count = script.lines().count();
    // Unlike `dd` and `head` of some hosts, a shell's own `read` leaves everything behind the script to the script.
    let command = format!(
        "n=$(printf '\\n_') n=${{n%_}} i=0 s=; while [ $i -lt {count} ] && IFS= read -r l; do s=$s$l$n i=$((i + 1)); done; \
         [ $i = {count} ] || exit 1; unset n i l; eval \"unset s; $s\""
    );
    Sent {
        command,
        script: script.into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::sent;

    fn run(command: &str, input: &[u8]) -> (bool, Vec<u8>) {
        let mut child = Command::new("sh")
            .args(["-c", command])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdin.take().unwrap().write_all(input));
        let output = child.wait_with_output().unwrap();
        (output.status.success(), output.stdout)
    }

    #[test]
    fn a_part_of_a_script_does_nothing() {
        let sent = sent("echo one\ncat <<END\n${x}\nEND\nif :; then echo two; fi");
        for length in 0..sent.script.len() {
            let ran = run(&sent.command, &sent.script[..length]);
            assert_eq!(ran, (false, Vec::new()), "{length}");
        }
    }

    #[test]
    fn what_follows_the_script_is_its_input() {
        let sent = sent(" printf '%s\\n' \"it's\\\\\"\n\nIFS= read -r first; echo \"$first\"; cat");
        let mut input = sent.script;
        input.extend_from_slice(b" sp ace\\\nrest");
        assert_eq!(
            run(&sent.command, &input),
            (true, b"it's\\\n sp ace\\\nrest".to_vec())
        );
    }
}
