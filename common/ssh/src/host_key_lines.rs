//! Host keys as settings hold them.

use crate::host_key::{HostKey, KnownHostKeys};
use crate::known_hosts;

/// A line that should have held a public key and does not. It is not repeated: it may hold a private one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} {what}; a public key looks like `ssh-ed25519 AAAA…`")]
pub struct HostKeyLineError {
    /// Its number.
    line: usize,
    /// What is wrong with it.
    what: &'static str,
}

/// Lines that say which keys a host may present, as a setting holds them: `TYPE BASE64`, or with names before that as in
/// known_hosts files and in what `ssh-keyscan` prints; a marker such as `@cert-authority` may stand first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostKeyLines {
    /// Lines without names.
    bare: Vec<String>,
    /// Lines with names.
    named: Vec<String>,
}

impl HostKeyLines {
    /// Reads the lines.
    ///
    /// # Errors
    /// The first line that is not a key.
    pub fn parse(text: &str) -> Result<Self, HostKeyLineError> {
        let mut lines = Self::default();
        for (at, line) in text.lines().map(str::trim).enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (marker, key) = match line.split_once(char::is_whitespace) {
                Some((marker @ ("@cert-authority" | "@revoked"), key)) => {
                    (marker, key.trim_start())
                }
                _ => ("", line),
            };
            let after_names = key.split_once(char::is_whitespace).map(|(_, key)| key);
            if HostKey::parse(key).is_some() {
                lines
                    .bare
                    .push(format!("{marker} * {key}").trim_start().to_owned());
            } else if after_names.is_some_and(|key| HostKey::parse(key).is_some()) {
                lines.named.push(line.to_owned());
            } else {
                return Err(HostKeyLineError {
                    line: at + 1,
                    what: match line.contains("PRIVATE") {
                        true => "belongs to a private key, which stays secret",
                        false => "is not a public key",
                    },
                });
            }
        }
        Ok(lines)
    }

    /// What the lines without names say, and those that name the host.
    #[must_use]
    pub fn about(&self, names: &[String]) -> KnownHostKeys {
        let lines = [self.bare.as_slice(), self.named.as_slice()].concat();
        known_hosts::parse(&lines.join("\n"), names)
    }

    /// What the lines say that name the host.
    #[must_use]
    pub fn naming(&self, names: &[String]) -> KnownHostKeys {
        known_hosts::parse(&self.named.join("\n"), names)
    }

    /// Whether there is no line.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bare.is_empty() && self.named.is_empty()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
    use super::HostKeyLines;

    const ONE: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    #[test]
    fn a_line_that_is_no_key_is_named() {
        for (text, told) in [
            (
                format!("{ONE}\nSHA256:abc"),
                "line 2 is not a public key; a public key looks like `ssh-ed25519 AAAA…`",
            ),
            (
                "-----BEGIN PRIVATE KEY-----".to_owned(),
                "line 1 belongs to a private key, which stays secret; a public key looks like `ssh-ed25519 AAAA…`",
            ),
        ] {
            assert_eq!(HostKeyLines::parse(&text).unwrap_err().to_string(), told);
        }
    }

    #[test]
    fn lines_as_ssh_keyscan_prints_them_count_for_the_hosts_that_they_name() {
        let text = format!(
            "# web:22 SSH-2.0-OpenSSH_9.9\nweb {ONE}\n[jump]:2200 {ONE} comment\n@cert-authority *.example.org {ONE}"
        );
        let lines = HostKeyLines::parse(&text).unwrap();
        let about = |name: &str| {
            let known = lines.about(&[name.to_owned()]);
            (known.keys.len(), known.authorities.len())
        };
        assert_eq!(about("web"), (1, 0));
        assert_eq!(about("[web]:2222"), (1, 0));
        assert_eq!(about("[jump]:2200"), (1, 0));
        assert_eq!(about("jump"), (0, 0));
        assert_eq!(about("a.example.org"), (0, 1));
        assert_eq!(about("other"), (0, 0));
        // A line without a name is for the host that is deployed to, and not for those on the way.
        let lines = HostKeyLines::parse(&format!("@cert-authority {ONE}\n{ONE}")).unwrap();
        let names = ["web".to_owned()];
        assert_eq!(lines.about(&names).keys.len(), 1);
        assert_eq!(lines.about(&names).authorities.len(), 1);
        assert!(lines.naming(&names).is_empty());
    }
}
