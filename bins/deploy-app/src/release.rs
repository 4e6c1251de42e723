//! Releases on the host: their folder layout, names, lock, and the shell scripts that work on them.
//!
//! ```text
//! TARGET/releases/<UTC yyyymmddhhmmss>-<short id>/   a release: the application's files, nothing else
//! TARGET/releases/.<name>.partial/                   one that is being unpacked
//! TARGET/current -> releases/<name>                  the release that runs
//! TARGET/shared/                                     what outlives releases
//! TARGET/.deploy/{lock/,manifests/,logs/}            ours
//! ```
//!
//! The host needs `sh`, `tar`, `find`, `sha256sum`, `mv` with `-T`, and the rest of a POSIX userland;
//! `gzip` is used where it is.

use std::collections::BTreeMap;

use crate::host::ssh::quote;
use crate::sync::partial;

/// A release's name: UTC time and a short id.
///
/// `digest` is the tree's, in hexadecimal; `commit` is preferred where the build knows one.
#[must_use]
pub fn name(utc: &str, commit: Option<&str>, digest: &str) -> String {
    let id = commit
        .filter(|commit| commit.len() >= 7 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .map_or(digest, |commit| commit);
    format!("{utc}-{}", id[..id.len().min(7)].to_ascii_lowercase())
}

/// Whether a folder's name is one that [`name`] makes. Anything else is somebody else's.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 22
        && bytes[..14].iter().all(u8::is_ascii_digit)
        && bytes[14] == b'-'
        && bytes[15..]
            .iter()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte))
}

/// What the host says about itself and the target folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Tools from [`TOOLS`] and [`OPTIONAL`] that it has.
    pub tools: Vec<String>,
    /// The release that `current` leads to.
    pub current: Option<String>,
    /// Where `current` leads when that is not a release of ours.
    pub foreign: Option<String>,
    /// Our releases, oldest first.
    pub releases: Vec<String>,
    /// Who holds the lock, in their own words.
    pub lock: Option<String>,
    /// Free space on the target's file system, in KiB.
    pub free_kib: Option<u64>,
}

/// What every host must have.
pub const TOOLS: [&str; 9] = [
    "cat",
    "date",
    "find",
    "ln",
    "mkdir",
    "mv",
    "rm",
    "sha256sum",
    "tar",
];
/// What is used where it is.
pub const OPTIONAL: [&str; 2] = ["gzip", "docker"];

/// Looks at the host; changes nothing.
#[must_use]
pub fn look(target: &str) -> String {
    let tools = TOOLS
        .iter()
        .chain(&OPTIONAL)
        .copied()
        .collect::<Vec<_>>()
        .join(" ");
    format!(
        r#"T={}
for t in {tools}; do command -v "$t" >/dev/null 2>&1 && echo "tool $t"; done
at=$T; while [ ! -d "$at" ]; do at=${{at%/*}}; [ -n "$at" ] || at=/; done
df -Pk "$at" 2>/dev/null | {{ read -r _; read -r _ _ _ free _ && echo "free $free"; }}
[ -e "$T/current" ] || [ -L "$T/current" ] && echo "current $(readlink "$T/current" || echo '(not a link)')"
for r in "$T"/releases/*; do [ -d "$r" ] && echo "release ${{r##*/}}"; done
[ -d "$T/.deploy/lock" ] && [ "$(cat "$T/.deploy/lock/expires")" -ge "$(date +%s)" ] && echo "lock $(cat "$T/.deploy/lock/owner")"
exit 0"#,
        quote(target)
    )
}

impl State {
    /// Reads what [`look`] prints.
    #[must_use]
    pub fn parse(output: &str) -> Self {
        let mut state = Self::default();
        for line in output.lines() {
            match line.split_once(' ') {
                Some(("tool", tool)) => state.tools.push(tool.to_owned()),
                Some(("free", free)) => state.free_kib = free.parse().ok(),
                Some(("current", to)) => {
                    match to.strip_prefix("releases/").filter(|name| is_name(name)) {
                        Some(name) => state.current = Some(name.to_owned()),
                        None => state.foreign = Some(to.to_owned()),
                    }
                }
                Some(("release", name)) if is_name(name) => state.releases.push(name.to_owned()),
                Some(("lock", owner)) => state.lock = Some(owner.to_owned()),
                _ => {}
            }
        }
        state.releases.sort();
        state
    }

    /// Required tools that the host does not have.
    #[must_use]
    pub fn missing_tools(&self) -> Vec<&'static str> {
        TOOLS.into_iter().filter(|tool| !self.has(tool)).collect()
    }

    /// Whether the host has this tool.
    #[must_use]
    pub fn has(&self, tool: &str) -> bool {
        self.tools.iter().any(|known| known == tool)
    }

    /// Releases that go when `keep` shall remain: the oldest, never the current or the new one.
    #[must_use]
    pub fn to_prune(&self, keep: usize, new: &str) -> Vec<String> {
        let mut all: Vec<&String> = self.releases.iter().filter(|name| *name != new).collect();
        let spare = (all.len() + 1).saturating_sub(keep.max(1));
        all.retain(|name| Some(*name) != self.current.as_ref());
        all.into_iter().take(spare).cloned().collect()
    }
}

/// Prints the hashes of all files below the working folder.
pub const HASHES: &str = "find . -type f -exec sha256sum {} +";

/// Prints the stored manifest of a release, a line `== hashes`, and the hashes of its files now.
#[must_use]
pub fn contents(target: &str, release: &str) -> String {
    format!(
        "set -e; cd {}; cat .deploy/manifests/{release} 2>/dev/null || :; echo '== hashes'; cd releases/{release}; {HASHES}",
        quote(target)
    )
}

/// Splits the output of [`contents`].
#[must_use]
pub fn split_contents(output: &[u8]) -> (&[u8], &[u8]) {
    const MARK: &[u8] = b"== hashes\n";
    if output.starts_with(MARK) {
        return (&[], &output[MARK.len()..]);
    }
    match output
        .windows(MARK.len() + 1)
        .position(|window| window[0] == b'\n' && &window[1..] == MARK)
    {
        Some(at) => (&output[..=at], &output[at + 1 + MARK.len()..]),
        None => (output, &[]),
    }
}

/// What taking the lock led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Locked {
    /// It is ours; the release that `current` leads to under the lock.
    Taken {
        /// As in [`State::current`].
        current: Option<String>,
        /// Whose expired lock was taken over.
        from: Option<String>,
    },
    /// Somebody else holds it.
    Held {
        /// Their words about themselves.
        owner: String,
        /// Seconds until it may be taken over.
        expires_in: u64,
    },
}

/// Makes the folders and takes the lock, a folder that is renamed into place with its content: of
/// two that try at once, one wins. An expired lock is taken over.
#[must_use]
pub fn lock(target: &str, owner: &str, token: &str, ttl_secs: u64) -> String {
    format!(
        r#"set -e; umask 022; mkdir -p {target}; cd {target}
mkdir -p releases shared .deploy/manifests .deploy/logs; cd .deploy
now=$(date +%s); new=lock.new.{token}; rm -rf "$new"; mkdir "$new"
printf '%s\n' {owner} >"$new/owner"; echo $((now + {ttl_secs})) >"$new/expires"; echo {token} >"$new/token"
take() {{ mv -T "$new" lock 2>/dev/null; }}
if ! take; then
  expires=$(cat lock/expires 2>/dev/null || echo 0); stale=lock.stale.{token}
  if [ "$expires" -lt "$now" ] && mv -T lock "$stale" 2>/dev/null; then
    if [ "$(cat "$stale/expires" 2>/dev/null || echo 0)" = "$expires" ]; then
      echo "from $(cat "$stale/owner" 2>/dev/null || echo somebody)"; rm -rf "$stale"
    else mv -T "$stale" lock 2>/dev/null || :; fi
    take || :
  fi
fi
if [ "$(cat lock/token 2>/dev/null)" != {token} ]; then
  rm -rf "$new"; echo "held $(($(cat lock/expires 2>/dev/null || echo "$now") - now)) $(cat lock/owner 2>/dev/null || echo somebody)"; exit 0
fi
echo "taken $(readlink ../current || :)""#,
        target = quote(target),
        owner = quote(owner),
    )
}

impl Locked {
    /// Reads what [`lock`] prints.
    #[must_use]
    pub fn parse(output: &str) -> Option<Self> {
        let mut from = None;
        for line in output.lines() {
            match line.split_once(' ').unwrap_or((line, "")) {
                ("from", owner) => from = Some(owner.to_owned()),
                ("held", rest) => {
                    let (expires_in, owner) = rest.split_once(' ')?;
                    return Some(Self::Held {
                        owner: owner.to_owned(),
                        expires_in: expires_in.parse().unwrap_or(0),
                    });
                }
                ("taken", to) => {
                    let current = to
                        .strip_prefix("releases/")
                        .filter(|name| is_name(name))
                        .map(str::to_owned);
                    return Some(Self::Taken { current, from });
                }
                _ => {}
            }
        }
        None
    }
}

/// Gives the lock back, if it is still ours.
#[must_use]
pub fn unlock(target: &str, token: &str) -> String {
    format!(
        "cd {}/.deploy || exit 0; [ \"$(cat lock/token 2>/dev/null)\" = {token} ] || exit 0; \
         mv -T lock lock.gone.{token} && rm -rf lock.gone.{token}",
        quote(target)
    )
}

/// The command by which a person removes the lock.
#[must_use]
pub fn unlock_by_hand(target: &str) -> String {
    format!("rm -rf {}", quote(&format!("{target}/.deploy/lock")))
}

/// Unpacks the stream on standard input as a partial release and prints what is there now, in the
/// three sections of [`crate::sync::Listing`].
#[must_use]
pub fn unpack(target: &str, release: &str, gzip: bool) -> String {
    format!(
        r#"set -e; umask 022; cd {target}; p={partial}; rm -rf "$p"; mkdir "$p"
tar -x{z}po -f -
cd "$p"; {HASHES}
echo '== executable'; find . -type f -perm -100
echo '== links'; find . -type l -exec sh -c 'for l do printf "%s\t%s\n" "$l" "$(readlink "$l")"; done' sh {{}} +"#,
        target = quote(target),
        partial = quote(&partial(release)),
        z = if gzip { "z" } else { "" },
    )
}

/// Gives a verified release its name, and makes the folders that its shared links lead to.
#[must_use]
pub fn commit(target: &str, release: &str, shared: &[String]) -> String {
    let mut script = format!("set -e; umask 022; cd {}; ", quote(target));
    for path in shared {
        script.push_str(&format!(
            "[ -e shared/{0} ] || mkdir -p shared/{0}; ",
            quote(path)
        ));
    }
    script.push_str(&format!(
        "mv -T {} releases/{release}",
        quote(&partial(release))
    ));
    script
}

/// Makes `current` lead to the release, in one rename: at any moment it is the old one or the new one.
#[must_use]
pub fn switch(target: &str, release: &str) -> String {
    format!(
        "set -e; cd {}; rm -f .deploy/current; ln -s releases/{release} .deploy/current; mv -T .deploy/current current",
        quote(target)
    )
}

/// Removes `current`, where there was none before.
#[must_use]
pub fn unswitch(target: &str) -> String {
    format!("rm -f {}", quote(&format!("{target}/current")))
}

/// Removes releases, whole or partial, with their manifests. Never one that `current` leads to.
#[must_use]
pub fn remove(target: &str, releases: &[String]) -> String {
    let mut script = format!(
        "cd {} || exit 0; c=$(readlink current || :); status=0; ",
        quote(target)
    );
    for release in releases {
        script.push_str(&format!(
            "if [ \"$c\" != releases/{release} ]; then rm -rf releases/{release} {partial} .deploy/manifests/{release} || status=1; else status=1; fi; ",
            partial = quote(&partial(release)),
        ));
    }
    script.push_str("exit $status");
    script
}

/// Variables for a command of the application, as shell assignments.
#[must_use]
pub fn environment(variables: &BTreeMap<&str, &str>) -> String {
    variables
        .iter()
        .map(|(name, value)| format!("{name}={} ", quote(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Locked, State, is_name, name, split_contents};

    #[test]
    fn names_are_time_and_id_and_only_ours_are_known() {
        let digest = "0123456789abcdef";
        assert_eq!(
            name("20261123094308", Some("DEADBEEF99"), digest),
            "20261123094308-deadbee"
        );
        assert_eq!(
            name("20261123094308", Some("arn:aws:s3:::x"), digest),
            "20261123094308-0123456"
        );
        assert_eq!(
            name("20261123094308", None, digest),
            "20261123094308-0123456"
        );
        assert!(is_name("20261123094308-0123456"));
        for other in [
            "20261123094308",
            "current",
            "20261123094308-../../x",
            "20261123094308-01234567",
            "20261123094308-012345g",
        ] {
            assert!(!is_name(other), "{other}");
        }
    }

    #[test]
    fn a_look_is_read() {
        let state = State::parse(
            "tool tar\ntool find\nfree 1024\ncurrent releases/20261123094308-0123456\n\
             release 20261123094308-0123456\nrelease 20251123094308-0123456\nrelease mine\nlock build 7\n",
        );
        assert_eq!(state.current.as_deref(), Some("20261123094308-0123456"));
        assert_eq!(
            state.releases,
            ["20251123094308-0123456", "20261123094308-0123456"]
        );
        assert_eq!(
            (state.lock.as_deref(), state.free_kib),
            (Some("build 7"), Some(1024))
        );
        assert!(
            state.missing_tools().contains(&"sha256sum") && !state.missing_tools().contains(&"tar")
        );
        assert_eq!(
            State::parse("current /srv/app\n").foreign.as_deref(),
            Some("/srv/app")
        );
    }

    #[test]
    fn the_oldest_go_but_never_the_current_or_the_new() {
        let release = |n: u8| format!("2026112309430{n}-0123456");
        let state = State {
            current: Some(release(1)),
            releases: (1..=4).map(release).collect(),
            ..State::default()
        };
        assert_eq!(state.to_prune(5, &release(5)), Vec::<String>::new());
        assert_eq!(state.to_prune(3, &release(5)), [release(2), release(3)]);
        assert_eq!(
            state.to_prune(1, &release(5)),
            [release(2), release(3), release(4)]
        );
        assert_eq!(state.to_prune(4, &release(4)), Vec::<String>::new());
    }

    #[test]
    fn lock_answers_are_read() {
        assert_eq!(
            Locked::parse("from build 6\ntaken releases/20261123094308-0123456\n"),
            Some(Locked::Taken {
                current: Some("20261123094308-0123456".into()),
                from: Some("build 6".into())
            })
        );
        assert_eq!(
            Locked::parse("taken \n"),
            Some(Locked::Taken {
                current: None,
                from: None
            })
        );
        assert_eq!(
            Locked::parse("held 60 build 7 of x\n"),
            Some(Locked::Held {
                owner: "build 7 of x".into(),
                expires_in: 60
            })
        );
        assert_eq!(Locked::parse("sh: not found"), None);
    }

    #[test]
    fn contents_are_split_at_the_mark() {
        assert_eq!(
            split_contents(b"m\n== hashes\nh\n"),
            (&b"m\n"[..], &b"h\n"[..])
        );
        assert_eq!(split_contents(b"== hashes\nh\n"), (&b""[..], &b"h\n"[..]));
    }
}
