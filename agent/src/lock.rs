//! The lock of a folder: the kernel's lock on a file, which ends with the process that holds it.
//!
//! The file holds the record of who has the lock. It stays there when nobody does: to remove it would let two in.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use agent_protocol::message::{AgentError, Answer, Holder, Judging, Lock};

/// The file, below the folder.
const FILE: &str = ".deploy/holder";
/// Where versions of deploy-app that knew no agent have their lock: a folder, with a time at which it ends.
const LEASE: &str = ".deploy/lock";
/// Such a version does not tell when it is done, and renews its lock less often.
const LEASE_PAUSE: Duration = Duration::from_secs(1);

/// A lock that is held until this is dropped, and every copy of its file.
pub(crate) struct Held {
    pub(crate) file: File,
    pub(crate) folder: String,
    pub(crate) holder: Holder,
}

/// What came of asking for a lock.
pub(crate) enum Taken {
    Ours { held: Held, left_by: Option<Holder> },
    Theirs(Holder),
}

/// Takes the lock, or says who has it.
pub(crate) fn take(lock: &Lock, waits: bool) -> Result<Taken, AgentError> {
    let folder = Path::new(&lock.folder);
    make_folder(&folder.join(".deploy"))?;
    let path = folder.join(FILE);
    let mut file = open(&path)?;
    loop {
        let locked = match waits {
            true => file.lock().map(|()| true),
            false => match file.try_lock() {
                Ok(()) => Ok(true),
                Err(TryLockError::WouldBlock) => Ok(false),
                Err(TryLockError::Error(error)) => Err(error),
            },
        };
        if !locked.map_err(|error| system("lock", &path, &error))? {
            let holder = read(&mut file).unwrap_or_else(somebody);
            return Ok(Taken::Theirs(holder));
        }
        let Some(holder) = lease(folder)? else {
            remove_lease(folder);
            break;
        };
        if !waits {
            return Ok(Taken::Theirs(holder));
        }
        // Others may see who has the lock meanwhile, and that this is not us.
        file.unlock()
            .map_err(|error| system("unlock", &path, &error))?;
        std::thread::sleep(LEASE_PAUSE);
    }
    let left_by = read(&mut file);
    let holder = Holder {
        since: now(),
        process: std::process::id(),
        ..lock.holder.clone()
    };
    write(&mut file, &record(&holder)).map_err(|error| system("write", &path, &error))?;
    let folder = lock.folder.clone();
    let held = Held {
        file,
        folder,
        holder,
    };
    Ok(Taken::Ours { held, left_by })
}

impl Held {
    /// Gives the lock back. Whoever takes it next knows by the empty record that nothing was left undone.
    pub(crate) fn give_back(mut self) -> Result<(), AgentError> {
        let path = Path::new(&self.folder).join(FILE);
        write(&mut self.file, "").map_err(|error| system("write", &path, &error))?;
        // Of every copy of the file.
        self.file
            .unlock()
            .map_err(|error| system("unlock", &path, &error))
    }

    /// Writes down that this process holds the lock from now on, and decides alone.
    pub(crate) fn judge(&mut self, judging: Judging) -> io::Result<()> {
        self.holder.process = std::process::id();
        self.holder.judging = Some(judging);
        write(&mut self.file, &record(&self.holder))
    }
}

/// Who holds the lock of a folder.
pub(crate) fn holder(folder: &Path) -> Result<Answer, AgentError> {
    if let Some(holder) = lease(folder)? {
        return Ok(Answer::Held(holder));
    }
    let Ok(mut file) = File::open(folder.join(FILE)) else {
        return Ok(Answer::Free);
    };
    Ok(match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Answer::Held(read(&mut file).unwrap_or_else(somebody)),
        _ => Answer::Free,
    })
}

/// The holder of a lock of the version before that has not ended.
fn lease(folder: &Path) -> Result<Option<Holder>, AgentError> {
    let path = folder.join(LEASE);
    if !path.is_dir() {
        return Ok(None);
    }
    let of = |name: &str| std::fs::read_to_string(path.join(name)).unwrap_or_default();
    let expires: u64 = of("expires").trim().parse().unwrap_or(0);
    match expires.checked_sub(now()) {
        Some(left) => Ok(Some(Holder {
            owner: of("owner").trim().to_owned(),
            lease_secs: Some(left),
            ..somebody()
        })),
        None => Ok(None),
    }
}

/// Removes what is left of the version before.
fn remove_lease(folder: &Path) {
    // Should it stay, it is still one that has ended.
    drop(std::fs::remove_dir_all(folder.join(LEASE)));
}

fn somebody() -> Holder {
    Holder {
        owner: "somebody".to_owned(),
        token: String::new(),
        since: 0,
        process: 0,
        lease_secs: None,
        judging: None,
    }
}

pub(crate) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs()
}

/// A holder as lines for people, which [`parse`] reads.
fn record(holder: &Holder) -> String {
    let Holder {
        owner,
        token,
        since,
        process,
        judging,
        ..
    } = holder;
    let owner = owner.replace(['\n', '\r'], " ");
    let judging = judging
        .as_ref()
        .map(|it| format!("judges {} until {}\n", it.release, it.until));
    let judging = judging.unwrap_or_default();
    format!("{owner}\n{token}\n{since}\n{process}\n{judging}")
}

fn parse(text: &str) -> Option<Holder> {
    let mut lines = text.lines();
    let holder = Holder {
        owner: lines.next()?.to_owned(),
        token: lines.next()?.to_owned(),
        since: lines.next()?.parse().ok()?,
        process: lines.next()?.parse().ok()?,
        lease_secs: None,
        judging: lines.next().and_then(parse_judging),
    };
    Some(holder)
}

fn parse_judging(line: &str) -> Option<Judging> {
    let (release, until) = line.strip_prefix("judges ")?.split_once(" until ")?;
    Some(Judging {
        release: release.to_owned(),
        until: until.parse().ok()?,
    })
}

fn read(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(64 * 1024).read_to_string(&mut text).ok()?;
    parse(&text)
}

fn write(file: &mut File, text: &str) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(text.as_bytes())
}

fn open(path: &PathBuf) -> Result<File, AgentError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options
        .open(path)
        .map_err(|error| system("open", path, &error))
}

/// Makes a folder and those above it. Others can look into them, whatever the user's umask is.
fn make_folder(path: &Path) -> Result<(), AgentError> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent() {
        make_folder(above)?;
    }
    match DirBuilder::new().create(path) {
        Ok(()) => std::fs::set_permissions(path, Permissions::from_mode(0o755)),
        // Somebody else made it meanwhile.
        Err(_) if path.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
    .map_err(|error| system("make the folder", path, &error))
}

/// An error of the system, with what was done.
fn system(verb: &str, path: &Path, error: &io::Error) -> AgentError {
    let path = path.display().to_string();
    if matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
    ) {
        return AgentError::Denied { path };
    }
    AgentError::System {
        what: format!("cannot {verb} {path}"),
        reason: error.to_string(),
        code: error.raw_os_error(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::{Held, Holder, Judging, Lock, Taken, holder, somebody, take};
    use agent_protocol::message::Answer;
    use std::path::Path;
    use std::time::Duration;

    fn lock(folder: &Path, token: &str) -> Lock {
        Lock {
            folder: folder.display().to_string(),
            holder: Holder {
                owner: format!("build {token}"),
                token: token.to_owned(),
                ..somebody()
            },
        }
    }

    fn ours(taken: Taken) -> (Held, Option<String>) {
        match taken {
            Taken::Ours { held, left_by } => (held, left_by.map(|it| it.token)),
            Taken::Theirs(holder) => panic!("{holder:?}"),
        }
    }

    #[test]
    fn one_holds_it_and_the_next_knows_whether_it_was_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("not/there yet");
        assert_eq!(holder(&at), Ok(Answer::Free));
        let (held, left_by) = ours(take(&lock(&at, "one"), false).unwrap());
        assert_eq!(left_by, None);
        match take(&lock(&at, "two"), false).unwrap() {
            Taken::Theirs(holder) => assert_eq!(
                (holder.owner.as_str(), holder.process),
                ("build one", std::process::id())
            ),
            Taken::Ours { .. } => panic!("two holders"),
        }
        assert!(matches!(holder(&at), Ok(Answer::Held(_))));
        // As when its process is killed.
        drop(held);
        assert_eq!(holder(&at), Ok(Answer::Free));
        let (held, left_by) = ours(take(&lock(&at, "two"), false).unwrap());
        assert_eq!(left_by.as_deref(), Some("one"));
        held.give_back().unwrap();
        let (_held, left_by) = ours(take(&lock(&at, "three"), false).unwrap());
        assert_eq!(left_by, None);
    }

    #[test]
    fn who_decides_alone_is_seen_by_others_and_gives_the_lock_back_for_every_copy() {
        let folder = tempfile::tempdir().unwrap();
        let (mut held, _) = ours(take(&lock(folder.path(), "one"), false).unwrap());
        let judging = Judging {
            release: "20261123094308-0123456".to_owned(),
            until: 1_900_000_000,
        };
        held.judge(judging.clone()).unwrap();
        match holder(folder.path()).unwrap() {
            Answer::Held(seen) => assert_eq!(seen.judging, Some(judging)),
            other => panic!("{other:?}"),
        }
        let _copy = held.file.try_clone().unwrap();
        held.give_back().unwrap();
        assert_eq!(holder(folder.path()), Ok(Answer::Free));
    }

    #[test]
    fn who_waits_has_it_once_it_is_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let (held, _) = ours(take(&lock(folder.path(), "one"), false).unwrap());
        let wanted = lock(folder.path(), "two");
        let waiting = std::thread::spawn(move || ours(take(&wanted, true).unwrap()));
        assert!(!waiting.is_finished());
        held.give_back().unwrap();
        assert_eq!(waiting.join().unwrap().1, None);
    }

    #[test]
    fn a_lease_of_the_version_before_is_respected_until_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let lease = folder.path().join(".deploy/lock");
        std::fs::create_dir_all(&lease).unwrap();
        let until = |secs: u64| std::fs::write(lease.join("expires"), format!("{secs}\n")).unwrap();
        std::fs::write(lease.join("owner"), "build web:1\n").unwrap();
        until(super::now() + 3600);
        match take(&lock(folder.path(), "two"), false).unwrap() {
            Taken::Theirs(holder) => {
                assert_eq!(holder.owner, "build web:1");
                assert!(holder.lease_secs.is_some_and(|left| left > 3500));
            }
            Taken::Ours { .. } => panic!("two holders"),
        }
        let wanted = lock(folder.path(), "two");
        let waiting = std::thread::spawn(move || ours(take(&wanted, true).unwrap()));
        std::thread::sleep(Duration::from_millis(20));
        assert!(!waiting.is_finished());
        until(1);
        waiting.join().unwrap();
        assert_eq!(holder(folder.path()), Ok(Answer::Free));
    }
}
