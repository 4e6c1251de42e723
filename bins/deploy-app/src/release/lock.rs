//! The lock of a target folder: a lease that its holder renews, and that ends by itself.

use action::export::quote::posix as quote;

/// Who asks for the lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// For people: `build web:1234`, or `process 7 on laptop`.
    pub owner: String,
    /// The CodeBuild build, which AWS knows the state of.
    pub build: Option<String>,
    /// What no other claim has.
    pub token: String,
    /// How long the lock is respected from now on, in seconds.
    pub ttl_secs: u64,
}

/// What asking for the lock led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Locked {
    /// It is ours.
    Taken {
        /// Whose lock was taken over.
        from: Option<String>,
    },
    /// Somebody else holds it.
    Held(Holder),
}

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Their words about themselves.
    pub owner: String,
    /// Their CodeBuild build.
    pub build: Option<String>,
    /// Their token.
    pub token: String,
    /// Seconds until it may be taken over, unless they renew it.
    pub expires_in: u64,
}

/// Makes the folders and takes the lock, a folder that is renamed into place with its content: of two
/// that try at once, one wins. An expired lock is taken over; so is the one with the token `dead`,
/// whose holder is known to be gone. Whoever has it runs `then` at once: what was seen before may have changed.
#[must_use]
pub fn take(target: &str, store: &str, claim: &Claim, dead: Option<&str>, then: &str) -> String {
    let Claim {
        owner,
        build,
        token,
        ttl_secs,
    } = claim;
    format!(
        r#"set -e; umask 022; mkdir -p {target}; cd {target}
mkdir -p {store} .deploy/manifests .deploy/lists .deploy/pieces .deploy/stamps .deploy/proven .deploy/logs; cd .deploy
now=$(date +%s); new=lock.new.{token}/lock; rm -rf "${{new%/*}}"; mkdir -p "$new"
printf '%s\n' {owner} >"$new/owner"; printf '%s\n' {build} >"$new/build"
echo $((now + {ttl_secs})) >"$new/expires"; echo {token} >"$new/token"
take() {{ mv "$new" . 2>/dev/null; }}
if ! take; then
  expires=$(cat lock/expires 2>/dev/null || echo 0); held=$(cat lock/token 2>/dev/null || :); stale=lock.stale.{token}/lock
  rm -rf "${{stale%/*}}"; mkdir "${{stale%/*}}"
  if {{ [ "$expires" -lt "$now" ] || [ "$held" = {dead} ]; }} && mv lock "$stale" 2>/dev/null; then
    if [ "$(cat "$stale/token" 2>/dev/null || :)" = "$held" ] && [ "$(cat "$stale/expires" 2>/dev/null || echo 0)" = "$expires" ]; then
      echo "from $(cat "$stale/owner" 2>/dev/null || echo somebody)"
    else mv "$stale" . 2>/dev/null || :; fi
    take || :
  fi
  rm -rf "${{stale%/*}}"
fi
if [ "$(cat lock/token 2>/dev/null)" = {token} ]; then rmdir "${{new%/*}}"; else
  rm -rf "${{new%/*}}"; build=$(cat lock/build 2>/dev/null || :)
  echo "held $(($(cat lock/expires 2>/dev/null || echo "$now") - now)) $(cat lock/token 2>/dev/null || echo -) ${{build:--}} $(cat lock/owner 2>/dev/null || echo somebody)"; exit 0
fi
rm -rf lock.stale.* lock.gone.*; echo taken; set +e
{then}"#,
        target = quote(target),
        owner = quote(owner),
        build = quote(build.as_deref().unwrap_or("")),
        dead = quote(dead.unwrap_or("-")),
    )
}

impl Locked {
    /// Reads what [`take`] prints.
    #[must_use]
    pub fn parse(output: &str) -> Option<Self> {
        let mut from = None;
        for line in output.lines() {
            match line.split_once(' ').unwrap_or((line, "")) {
                ("from", owner) => from = Some(owner.to_owned()),
                ("held", rest) => {
                    let mut words = rest.splitn(4, ' ');
                    let (expires_in, token, build) = (words.next()?, words.next()?, words.next()?);
                    return Some(Self::Held(Holder {
                        owner: words.next()?.to_owned(),
                        build: Some(build.to_owned()).filter(|build| build != "-"),
                        token: token.to_owned(),
                        expires_in: expires_in.parse().unwrap_or(0),
                    }));
                }
                ("taken", _) => return Some(Self::Taken { from }),
                _ => {}
            }
        }
        None
    }
}

/// A condition that holds while the lock is ours: what nobody may do who has lost it comes after.
#[must_use]
pub fn fence(token: &str) -> String {
    format!(
        "[ \"$(cat .deploy/lock/token 2>/dev/null)\" = {token} ] || {{ echo 'the deployment lock was lost' >&2; exit {LOST}; }}"
    )
}

/// The status of a script that found the lock lost.
pub const LOST: u32 = 75;

/// Renews the lock, if it is still ours.
#[must_use]
pub fn renew(target: &str, token: &str, ttl_secs: u64) -> String {
    format!(
        "set -e; cd {}; {}; echo $(($(date +%s) + {ttl_secs})) >.deploy/lock/expires.new; mv .deploy/lock/expires.new .deploy/lock/expires",
        quote(target),
        fence(token)
    )
}

/// Gives the lock back, if it is still ours.
#[must_use]
pub fn give_back(target: &str, token: &str) -> String {
    format!(
        "cd {}/.deploy || exit 0; [ \"$(cat lock/token 2>/dev/null)\" = {token} ] || exit 0; \
         mv lock lock.gone.{token} && rm -rf lock.gone.{token}",
        quote(target)
    )
}

/// The command by which a person removes the lock.
#[must_use]
pub fn remove_by_hand(target: &str) -> String {
    format!("rm -rf {}", quote(&format!("{target}/.deploy/lock")))
}

#[cfg(test)]
mod tests {
    use super::{Holder, Locked};

    #[test]
    fn lock_answers_are_read() {
        assert_eq!(
            Locked::parse("from build 6\ntaken\n"),
            Some(Locked::Taken {
                from: Some("build 6".into())
            })
        );
        assert_eq!(Locked::parse("taken\n"), Some(Locked::Taken { from: None }));
        let holder = |build: Option<&str>| {
            Some(Locked::Held(Holder {
                owner: "build 7 of x".into(),
                build: build.map(str::to_owned),
                token: "ab".into(),
                expires_in: 60,
            }))
        };
        assert_eq!(
            Locked::parse("held 60 ab x:7 build 7 of x\n"),
            holder(Some("x:7"))
        );
        assert_eq!(Locked::parse("held 60 ab - build 7 of x\n"), holder(None));
        assert_eq!(Locked::parse("sh: not found"), None);
    }
}
