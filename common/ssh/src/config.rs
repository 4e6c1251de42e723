//! The part of OpenSSH's `ssh_config` that says what is connected to, and as whom.
//!
//! What is not read and would change where a connection goes, what is believed or what is offered is refused by name. A
//! setting of comfort is passed over.

use std::fmt;
use std::str::FromStr;

use crate::address::Address;
use crate::pattern::glob;

/// A file in the form of `ssh_config`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SshConfig {
    blocks: Vec<Block>,
}

/// What stands below one `Host` line, or above the first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Block {
    patterns: Vec<String>,
    lines: Vec<Line>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    number: usize,
    keyword: String,
    words: Vec<String>,
}

/// What an `ssh_config` says about one host. Paths are as they stand there, with `~` and tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostConfig {
    /// `HostName`: what is connected to.
    pub host_name: Option<String>,
    /// `Port`.
    pub port: Option<u16>,
    /// `User`.
    pub user: Option<String>,
    /// `IdentityFile`, all of them.
    pub identity_files: Vec<String>,
    /// `ProxyJump`; empty for `none`.
    pub jumps: Option<Vec<Jump>>,
    /// `UserKnownHostsFile`, all of them.
    pub known_hosts_files: Option<Vec<String>>,
    /// `HostKeyAlias`: the one name under which known_hosts files list it.
    pub host_key_alias: Option<String>,
}

/// A host on the way to another: `[user@]host[:port]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jump {
    /// The user there.
    pub user: Option<String>,
    /// A name or an address, or a name of an `ssh_config`.
    pub host: String,
    /// The port.
    pub port: Option<u16>,
}

/// What is wrong with a text that should hold a [`Jump`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a jump host must be written as [user@]host[:port]")]
pub struct JumpError;

/// Why an `ssh_config` cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SshConfigError {
    /// A keyword that is not read here and would change the connection.
    #[error(
        "line {line}: `{keyword}` is not supported here, and ignoring it would change the connection"
    )]
    NotSupported {
        /// Its line.
        line: usize,
        /// The keyword.
        keyword: String,
    },
    /// A keyword without a value that can be read.
    #[error("line {line}: the value of `{keyword}` cannot be read")]
    Value {
        /// Its line.
        line: usize,
        /// The keyword.
        keyword: String,
    },
}

/// Keywords that change comfort only, or that ask for less than is done here anyway.
const PASSED_OVER: &[&str] = &[
    "addkeystoagent",
    "batchmode",
    "checkhostip",
    "clearallforwardings",
    "compression",
    "connectionattempts",
    "connecttimeout",
    "controlmaster",
    "controlpath",
    "controlpersist",
    "dynamicforward",
    "enableescapecommandline",
    "escapechar",
    "exitonforwardfailure",
    "forwardagent",
    "forwardx11",
    "forwardx11timeout",
    "forwardx11trusted",
    "gatewayports",
    "gssapiauthentication",
    "gssapidelegatecredentials",
    "hashknownhosts",
    "identitiesonly",
    "ipqos",
    "kbdinteractiveauthentication",
    "localforward",
    "loglevel",
    "nohostauthenticationforlocalhost",
    "numberofpasswordprompts",
    "passwordauthentication",
    "permitlocalcommand",
    "permitremoteopen",
    "preferredauthentications",
    "pubkeyauthentication",
    "rekeylimit",
    "remoteforward",
    "requesttty",
    "sendenv",
    "serveralivecountmax",
    "serveraliveinterval",
    "syslogfacility",
    "tcpkeepalive",
    "updatehostkeys",
    "usekeychain",
    "visualhostkey",
    "xauthlocation",
];

impl SshConfig {
    /// Reads a whole file.
    ///
    /// # Errors
    /// The first line that says which lines count in a way that is not read here: `Match`, `Include`.
    pub fn parse(text: &str) -> Result<Self, SshConfigError> {
        let mut blocks = vec![Block {
            patterns: vec!["*".to_owned()],
            lines: Vec::new(),
        }];
        for (at, line) in text.lines().enumerate() {
            let Some((keyword, words)) = words(line) else {
                continue;
            };
            let line = Line {
                number: at + 1,
                keyword,
                words,
            };
            match line.keyword.to_ascii_lowercase().as_str() {
                "host" => blocks.push(Block {
                    patterns: line.words,
                    lines: Vec::new(),
                }),
                "match" | "include" => return Err(line.not_supported()),
                _ => {
                    if let Some(block) = blocks.last_mut() {
                        block.lines.push(line);
                    }
                }
            }
        }
        Ok(Self { blocks })
    }

    /// What is said about the host of this name. Of several values the first counts, as in OpenSSH.
    ///
    /// # Errors
    /// A line about this host that would have to be followed and is not read here.
    pub fn host(&self, name: &str) -> Result<HostConfig, SshConfigError> {
        let mut found = HostConfig::default();
        let about = self.blocks.iter().filter(|block| block.is_about(name));
        for line in about.flat_map(|block| &block.lines) {
            line.apply(name, &mut found)?;
        }
        Ok(found)
    }
}

impl Block {
    fn is_about(&self, name: &str) -> bool {
        let matches = |pattern: &str| glob(pattern.as_bytes(), name.as_bytes());
        let is_excluded = |pattern: &String| pattern.strip_prefix('!').is_some_and(matches);
        self.patterns.iter().any(|pattern| matches(pattern))
            && !self.patterns.iter().any(is_excluded)
    }
}

impl Line {
    fn not_supported(&self) -> SshConfigError {
        SshConfigError::NotSupported {
            line: self.number,
            keyword: self.keyword.clone(),
        }
    }

    fn bad_value(&self) -> SshConfigError {
        SshConfigError::Value {
            line: self.number,
            keyword: self.keyword.clone(),
        }
    }

    fn apply(&self, name: &str, to: &mut HostConfig) -> Result<(), SshConfigError> {
        let one = || match self.words.as_slice() {
            [word] => Ok(word.clone()),
            _ => Err(self.bad_value()),
        };
        match self.keyword.to_ascii_lowercase().as_str() {
            "hostname" => {
                let text = one()?.replace("%%", "\0").replace("%h", name);
                if text.contains('%') {
                    return Err(self.bad_value());
                }
                to.host_name.get_or_insert(text.replace('\0', "%"));
            }
            "port" => {
                let port = one()?.parse().ok().filter(|port| *port != 0);
                to.port.get_or_insert(port.ok_or_else(|| self.bad_value())?);
            }
            "user" => drop(to.user.get_or_insert(one()?)),
            "identityfile" => to.identity_files.push(one()?),
            "proxyjump" => {
                let jumps = Jump::list(&one()?).map_err(|_| self.bad_value())?;
                to.jumps.get_or_insert(jumps);
            }
            "userknownhostsfile" if self.words.is_empty() => return Err(self.bad_value()),
            "userknownhostsfile" => {
                to.known_hosts_files.get_or_insert(self.words.clone());
            }
            "hostkeyalias" => drop(to.host_key_alias.get_or_insert(one()?)),
            // An unknown host is never connected to here, whatever is set: these two ask for no less.
            "stricthostkeychecking" if matches!(one()?.as_str(), "yes" | "ask") => {}
            keyword if PASSED_OVER.contains(&keyword) => {}
            _ => return Err(self.not_supported()),
        }
        Ok(())
    }
}

/// The keyword and the words of a line: separated by blanks or one `=`, with blanks in double quotes. Nothing for an
/// empty line and a comment.
fn words(line: &str) -> Option<(String, Vec<String>)> {
    let line = line.trim();
    if line.starts_with('#') {
        return None;
    }
    let end = line.find(|c: char| c.is_whitespace() || c == '=');
    let (keyword, rest) = line.split_at(end.unwrap_or(line.len()));
    let rest = rest.trim_start();
    let rest = rest.strip_prefix('=').unwrap_or(rest);
    let (mut words, mut word, mut is_quoted, mut is_word) =
        (Vec::new(), String::new(), false, false);
    for c in rest.chars() {
        match c {
            '"' => {
                is_quoted = !is_quoted;
                is_word = true;
            }
            '#' if !is_quoted && !is_word => break,
            c if c.is_whitespace() && !is_quoted => {
                if is_word {
                    words.push(std::mem::take(&mut word));
                }
                is_word = false;
            }
            c => {
                word.push(c);
                is_word = true;
            }
        }
    }
    if is_word {
        words.push(word);
    }
    (!keyword.is_empty()).then(|| (keyword.to_owned(), words))
}

impl Jump {
    /// Reads hosts separated by commas, the first one first on the way; `none` is no host.
    ///
    /// # Errors
    /// When one of them is not written as a jump host.
    pub fn list(text: &str) -> Result<Vec<Self>, JumpError> {
        if text.eq_ignore_ascii_case("none") {
            return Ok(Vec::new());
        }
        text.split(',').map(|jump| jump.trim().parse()).collect()
    }
}

impl FromStr for Jump {
    type Err = JumpError;

    fn from_str(text: &str) -> Result<Self, JumpError> {
        let text = text.strip_prefix("ssh://").unwrap_or(text);
        let (user, host) = match text.rsplit_once('@') {
            Some(("", _)) => return Err(JumpError),
            Some((user, host)) => (Some(user.to_owned()), host),
            None => (None, text),
        };
        let has_port = match host.rsplit_once(']') {
            Some((_, after)) => after.starts_with(':'),
            None => host.matches(':').count() == 1,
        };
        let address: Address = host.parse().map_err(|_| JumpError)?;
        Ok(Self {
            user,
            host: address.host,
            port: has_port.then_some(address.port),
        })
    }
}

impl fmt::Display for Jump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        f.write_str(&self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
    use super::{HostConfig, Jump, SshConfig, SshConfigError};

    const CONFIG: &str = r#"
# the way in
Host web web-*.example.org !web-9.example.org
    HostName=%h.internal
    Port 2222
    User "deploy user"
    ProxyJump ops@bastion:2200, second
    IdentityFile ~/.ssh/web
    ServerAliveInterval 5   # comfort

Host other
    ProxyCommand nc %h %p

Host *
    Port 22
    User nobody
    IdentityFile ~/.ssh/id_ed25519
    UserKnownHostsFile "~/my hosts" /etc/hosts.known
    HostKeyAlias alias
"#;

    #[test]
    fn the_first_value_of_the_lines_about_a_host_counts() {
        let config = SshConfig::parse(CONFIG).unwrap();
        let jump = |user: Option<&str>, host: &str, port| Jump {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port,
        };
        let web = HostConfig {
            host_name: Some("web.internal".to_owned()),
            port: Some(2222),
            user: Some("deploy user".to_owned()),
            identity_files: vec!["~/.ssh/web".to_owned(), "~/.ssh/id_ed25519".to_owned()],
            jumps: None,
            known_hosts_files: Some(vec!["~/my hosts".to_owned(), "/etc/hosts.known".to_owned()]),
            host_key_alias: Some("alias".to_owned()),
        };
        // A list with blanks in it is no list to OpenSSH either.
        assert!(config.host("web").is_err());
        let text = CONFIG.replace("bastion:2200, second", "bastion:2200,second");
        let config = SshConfig::parse(&text).unwrap();
        let jumps = vec![
            jump(Some("ops"), "bastion", Some(2200)),
            jump(None, "second", None),
        ];
        assert_eq!(
            config.host("web").unwrap(),
            HostConfig {
                jumps: Some(jumps),
                ..web
            }
        );
        let excluded = config.host("web-9.example.org").unwrap();
        assert_eq!((excluded.port, excluded.host_name), (Some(22), None));
    }

    #[test]
    fn what_would_change_the_connection_is_refused_by_name_where_it_counts() {
        let config = SshConfig::parse(CONFIG).unwrap();
        let fault = config.host("other").unwrap_err();
        assert!(
            matches!(&fault, SshConfigError::NotSupported { line: 12, keyword } if keyword == "ProxyCommand"),
            "{fault}"
        );
        for line in [
            "Match all",
            "Include other",
            "BindAddress 10.0.0.1",
            "IdentityAgent /x",
            "StrictHostKeyChecking no",
            "StrictHostKeyChecking accept-new",
            "NewKeyword yes",
            "Port 0",
            "Port",
            "HostName %n",
        ] {
            let read = SshConfig::parse(line).and_then(|config| config.host("web"));
            let keyword = line.split(' ').next().unwrap();
            assert!(
                read.clone().unwrap_err().to_string().contains(keyword),
                "{read:?}"
            );
        }
        for line in ["StrictHostKeyChecking yes", "Compression yes", "", "#x"] {
            let read = SshConfig::parse(line).unwrap().host("web");
            assert_eq!(read, Ok(HostConfig::default()), "{line}");
        }
    }

    #[test]
    fn jump_hosts_are_read_as_openssh_writes_them() {
        for text in ["web", "ops@web:2200", "ops@web", "ssh://ops@web:22"] {
            let jump: Jump = text.parse().unwrap();
            assert_eq!(jump.to_string(), text.trim_start_matches("ssh://"));
        }
        let bare: Jump = "ops@[::1]:22".parse().unwrap();
        assert_eq!((bare.host.as_str(), bare.port), ("::1", Some(22)));
        let bare: Jump = "::1".parse().unwrap();
        assert_eq!((bare.host.as_str(), bare.port), ("::1", None));
        assert_eq!(Jump::list("none"), Ok(Vec::new()));
        for bad in ["", "@web", "web:x", "a b", "one,,two"] {
            assert!(Jump::list(bad).is_err(), "{bad}");
        }
    }
}
