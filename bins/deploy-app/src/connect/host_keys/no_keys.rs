//! Why nothing is known about a host key.

use action::exit::Exit;
use action::failure::Failure;
use aws::error::AwsError;

/// What the rungs said instead of keys, and the gravest thing that they met.
#[derive(Debug)]
pub(super) struct NoKeys {
    pub(super) lines: Vec<String>,
    exit: Exit,
    /// Whether SSM has not heard of the instance yet.
    pub(super) is_unregistered: bool,
}

impl Default for NoKeys {
    fn default() -> Self {
        Self {
            lines: Vec::new(),
            exit: Exit::Refused,
            is_unregistered: false,
        }
    }
}

impl NoKeys {
    /// A rung that holds no keys.
    pub(super) fn nothing(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    /// A rung that AWS did not let us look at.
    pub(super) fn met(&mut self, error: &AwsError, line: String) {
        self.lines.push(line);
        self.exit = graver(self.exit, error.exit());
    }

    pub(super) fn and(&mut self, later: Self) {
        self.lines.extend(later.lines);
        self.exit = graver(self.exit, later.exit);
    }

    pub(super) fn into_failure(self, host: &str) -> Failure {
        let own = "set DEPLOY_APP_HOST_KEY to the lines of /etc/ssh/ssh_host_*_key.pub of the host, or DEPLOY_APP_KNOWN_HOSTS to a \
                   known_hosts file that lists it";
        let hint = match self.exit {
            Exit::Deadline => format!("run it again with more time (--timeout), or {own}"),
            Exit::Unavailable => format!("run it again when the service answers, or {own}"),
            Exit::NotPermitted => format!("allow what was denied, or {own}"),
            _ => format!(
                "{own}; DEPLOY_APP_TRUST_ON_FIRST_USE=yes believes it once and writes it down"
            ),
        };
        let deed =
            format!("nothing is known about the host key of {host}; it was not connected to");
        let failure = Failure::new(self.exit, deed);
        self.lines
            .into_iter()
            .fold(failure, Failure::detail)
            .hint(hint)
    }
}

/// Of two exits the one to end with. What may pass by itself comes first: the other rungs may then
/// say something else.
pub(super) fn graver(one: Exit, other: Exit) -> Exit {
    let order = [Exit::Deadline, Exit::Unavailable, Exit::NotPermitted];
    let rank = |exit: &Exit| order.iter().position(|known| known == exit);
    let known = [one, other].into_iter().filter(|exit| rank(exit).is_some());
    known.min_by_key(rank).unwrap_or(Exit::Refused)
}
