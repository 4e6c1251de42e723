//! A host's store in a folder, and trees that are brought there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bundle::digest::Digest;
use bundle::manifest::{Kind, Manifest, Mode};
use bundle::names::Names;
use bundle::tree::{Litter, Rules, Source};

use super::{file, noise, tree};
use crate::pieces::Pieces;
use crate::*;

/// A target folder on this machine.
pub(super) struct Target {
    pub(super) folder: tempfile::TempDir,
    pub(super) paths: Paths,
    pub(super) current: Option<String>,
}

pub(super) fn name(n: usize) -> String {
    format!("202601010000{n:02}-abcdef0")
}

impl Target {
    pub(super) fn new(layout: Layout) -> Self {
        let folder = tempfile::TempDir::with_prefix("target").unwrap();
        let paths = Paths {
            target: folder.path().to_str().unwrap().to_owned(),
            layout,
        };
        release::make_store(&paths).unwrap();
        Self {
            folder,
            paths,
            current: None,
        }
    }

    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// What is to be sent, how it differs, and what is there.
    pub(super) fn upload(&self, source: &Path, name: &str) -> (Upload, Diff) {
        let (wanted, sources) = read(source);
        let current = self.current.clone();
        let stored = current
            .as_ref()
            .map(|current| release::manifest(&self.paths, current).unwrap())
            .unwrap_or_default();
        let found = diff(&wanted, &stored, &BTreeSet::new());
        let upload = Upload {
            sources,
            wanted: Arc::new(wanted),
            kept: found.kept.clone(),
            pieces: current
                .as_ref()
                .map(|current| release::pieces(&self.paths, current))
                .unwrap_or_default(),
            current,
            release: name.to_owned(),
            compressed: true,
            only: None,
        };
        (upload, found)
    }

    pub(super) fn receive(&self, upload: &Upload) -> Received {
        let stream = upload.send(Vec::new()).unwrap();
        receive(&self.paths, &upload.incoming(), stream.as_slice()).unwrap()
    }

    /// Sends a release, and makes it current; gives what was wanted and how it differed.
    pub(super) fn release(&mut self, source: &Path, name: &str) -> (Tree, Diff) {
        let (upload, found) = self.upload(source, name);
        let received = self.receive(&upload);
        assert_eq!(received.faults, []);
        commit(&self.paths, name, &[], self.current.as_deref()).unwrap();
        let mut stamp = received.stamp;
        if self.paths.moves_files() {
            let mut from = Vec::from_iter(self.current.clone());
            from.push(name.to_owned());
            let moved = Put {
                release: name.to_owned(),
                is_wanted: true,
                from: Vec::from_iter(self.current.clone()),
                altered: Altered::Only(BTreeSet::new()),
            };
            let (live, faults) = put(&self.paths, &moved).unwrap();
            assert_eq!(faults, []);
            stamp = live;
        }
        release::remember_stamp(&self.paths, name, &stamp.unwrap()).unwrap();
        release::switch(&self.paths, name, true).unwrap();
        self.current = Some(name.to_owned());
        (Tree::clone(&upload.wanted), found)
    }

    pub(super) fn look(&self, wanted: Option<&Tree>) -> Seen {
        look(&self.paths, wanted.map(digest), true)
    }

    fn files(&self, wanted: &Tree) -> Files {
        self.look(Some(wanted)).current.unwrap().files
    }

    /// What lies where the release runs, read by the reader of sources.
    pub(super) fn live(&self) -> Tree {
        let folder = PathBuf::from(self.paths.live(self.current.as_deref().unwrap()));
        let mut tree = read(&folder).0;
        tree.retain(|path, _| !path.starts_with(".deploy/"));
        tree
    }
}

pub(super) fn read(source: &Path) -> (Tree, Arc<Manifest>) {
    let rules = Rules {
        litter: Litter::LeaveOut,
        names: Names::Bytes,
        segments: Some(SEGMENT),
        private_modes: true,
        ..Rules::everything()
    };
    let manifest = bundle::tree::read(&[Source::root(source)], &rules).unwrap();
    (wanted(&manifest, &[]).unwrap(), Arc::new(manifest))
}

pub(super) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A source with these files.
fn source(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

#[test]
fn many_files_of_any_name_and_size_arrive_and_are_known_again() {
    use std::os::unix::ffi::OsStrExt as _;
    let source = tempfile::tempdir().unwrap();
    for n in 0..1000 {
        let folder = source.path().join(format!("{}/{}", n % 7, n % 11));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(n.to_string()), "x".repeat(n)).unwrap();
    }
    for odd in [
        b"new\nline".as_slice(),
        b"end\n",
        b"back\\slash",
        b"-n",
        b"l\xe4tin",
        b"quote'\"$x*",
    ] {
        fs::write(source.path().join(std::ffi::OsStr::from_bytes(odd)), odd).unwrap();
    }
    // Around what one thread is given, and one segment.
    for (n, size) in [(1 << 18) - 1, 1 << 18, (1 << 18) + 1, SEGMENT as usize + 5]
        .into_iter()
        .enumerate()
    {
        fs::write(source.path().join(format!("large{n}")), noise(size, 3)).unwrap();
    }
    fs::write(source.path().join("none"), "").unwrap();
    for mode in [0o755, 0o600, 0o700] {
        let path = source.path().join(format!("{mode:o}"));
        fs::write(&path, "1").unwrap();
        set_mode(&path, mode);
    }
    for layout in [Layout::Releases, Layout::InPlace] {
        let mut target = Target::new(layout);
        let (wanted, _) = target.release(source.path(), &name(0));
        assert_eq!(target.live(), wanted);
        assert_eq!(target.files(&wanted), Files::Verified);
        let (_, found) = target.release(source.path(), &name(1));
        assert!(found.is_empty());
        assert_eq!(target.live(), wanted);
        assert_eq!(release::faults(&target.paths, &name(0), None).unwrap(), []);
    }
}

#[test]
fn a_large_file_that_changed_little_is_put_together() {
    let source = tempfile::tempdir().unwrap();
    // A first segment that is quickly made, and a second one of noise.
    let first = [vec![0; SEGMENT as usize], noise(4 << 20, 5)].concat();
    let model = source.path().join("it's a model");
    let at = SEGMENT as usize * 2 + (1 << 19);
    let mut edited = first.clone();
    edited[at..at + 1000].copy_from_slice(&noise(1000, 6));
    let shorter = [&first[..at], &noise(100, 7), &first[at..at + (2 << 20)]].concat();
    for is_verified in [true, false] {
        let mut target = Target::new(Layout::Releases);
        fs::write(source.path().join("small"), "1").unwrap();
        fs::write(&model, &first).unwrap();
        target.release(source.path(), &name(0));
        for (n, content) in [&edited, &shorter, &first].into_iter().enumerate() {
            let release = name(n + 1);
            fs::write(&model, content).unwrap();
            if !is_verified {
                fs::remove_file(target.at(&format!(".deploy/stamps/{}", name(n)))).unwrap();
            }
            let mut upload = target.upload(source.path(), &release).0;
            upload.compressed = false;
            let length = upload.send(Vec::new()).unwrap().len();
            assert!(length < 3 << 20, "{length} B were sent for {release}");
            let (wanted, _) = target.release(source.path(), &release);
            assert_eq!(target.live(), wanted, "{release}");
        }
        // The releases before are what they were.
        for n in 0..4 {
            assert_eq!(release::faults(&target.paths, &name(n), None).unwrap(), []);
        }
        assert_eq!(fs::read_dir(target.at("releases")).unwrap().count(), 4);
    }
}

#[test]
fn a_large_file_that_is_not_what_it_was_is_sent_whole() {
    let source = tempfile::tempdir().unwrap();
    let large = source.path().join("large");
    let mut content = noise(4 << 20, 5);
    for damage in 0..4 {
        let mut target = Target::new(Layout::Releases);
        fs::write(&large, &content).unwrap();
        fs::write(source.path().join("same"), "1").unwrap();
        target.release(source.path(), &name(0));
        let there = target.at("current/large");
        match damage {
            0 => fs::remove_file(&there).unwrap(),
            1 => fs::write(&there, "short").unwrap(),
            2 => {
                let mut other = content.clone();
                other[5] ^= 1;
                fs::write(&there, other).unwrap();
            }
            _ => {
                fs::remove_file(&there).unwrap();
                fs::create_dir(&there).unwrap();
            }
        }
        content[3_000_000 + damage] ^= 0xff;
        fs::write(&large, &content).unwrap();
        let (upload, _) = target.upload(source.path(), &name(1));
        let received = target.receive(&upload);
        let wrong: Vec<_> = received.faults.iter().map(|it| it.path.as_str()).collect();
        assert_eq!(wrong, ["large"], "{damage}");
        let only = Some(BTreeSet::from(["large".to_owned()]));
        let received = target.receive(&Upload { only, ..upload });
        assert_eq!(received.faults, []);
        assert!(
            fs::read(target.at(&format!("releases/.{}.partial/large", name(1)))).unwrap()
                == content
        );
    }
}

#[test]
fn a_stream_that_the_host_fetched_is_received_when_it_is_the_one_that_was_stored() {
    let source = source(&[("a", "1")]);
    let target = Target::new(Layout::Releases);
    let (upload, _) = target.upload(source.path(), &name(0));
    let stream = upload.send(Vec::new()).unwrap();
    let path = target.at(&target.paths.fetched(&name(0)));
    let fetched = |there: &[u8]| {
        fs::write(&path, there).unwrap();
        let received = receive_fetched(&target.paths, &upload.incoming(), Digest::of(&stream));
        assert!(!path.exists(), "it goes in any case");
        received
    };
    let other = fetched(&[stream.as_slice(), b"x"].concat());
    assert!(matches!(other, Err(StoreError::Stream(_))), "{other:?}");
    assert_eq!(fetched(&stream).unwrap().faults, []);
    assert!(receive_fetched(&target.paths, &upload.incoming(), Digest::of(&stream)).is_err());

    // What a deployment left that was killed goes with the next one, or when the release goes.
    fs::write(&path, "left").unwrap();
    assert_eq!(target.receive(&upload).faults, []);
    assert!(!path.exists());
    fs::write(&path, "left").unwrap();
    release::remove(&target.paths, &[name(0)]).unwrap();
    assert!(!path.exists());
}

#[test]
fn what_was_damaged_on_the_host_is_noticed_when_it_is_linked() {
    let source = source(&[("a", "1"), ("b", "2")]);
    let mut target = Target::new(Layout::Releases);
    target.release(source.path(), &name(0));
    let old = target.at(&format!("releases/{}/a", name(0)));
    fs::write(&old, "?").unwrap();
    fs::write(source.path().join("b"), "3").unwrap();
    let (upload, _) = target.upload(source.path(), &name(1));
    let faults = target.receive(&upload).faults;
    assert_eq!(faults.len(), 1);
    assert_eq!(
        (faults[0].path.as_str(), faults[0].what),
        ("a", What::Content)
    );
    let only = Some(BTreeSet::from(["a".to_owned()]));
    let received = target.receive(&Upload { only, ..upload });
    assert!(received.faults.is_empty() && received.stamp.is_some());
    // What was linked is another file now; the old one is as damaged as before.
    assert_eq!(fs::read_to_string(old).unwrap(), "?");
}

#[test]
fn whatever_took_the_place_of_a_file_is_told_and_followed_nowhere() {
    let outside = source(&[("x", "1")]);
    let source = source(&[
        ("a", "1"),
        ("d/x", "1"),
        ("pipe", "1"),
        ("folder", "1"),
        ("link", "1"),
    ]);
    symlink("a", source.path().join("l")).unwrap();
    let mut target = Target::new(Layout::Releases);
    let (wanted, _) = target.release(source.path(), &name(0));
    let live = target.at("current");
    for file in ["pipe", "folder", "link", "l"] {
        fs::remove_file(live.join(file)).unwrap();
    }
    fs::remove_dir_all(live.join("d")).unwrap();
    symlink(outside.path(), live.join("d")).unwrap();
    symlink(outside.path().join("x"), live.join("link")).unwrap();
    fs::create_dir(live.join("folder")).unwrap();
    fs::write(live.join("theirs"), "1").unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(live.join("pipe"))
        .status();
    assert!(made.unwrap().success());
    let Files::Read { faults, .. } = target.files(&wanted) else {
        panic!("it was changed");
    };
    let told: Vec<_> = faults
        .iter()
        .map(|it| (it.path.as_str(), it.what))
        .collect();
    let missing = |path| (path, What::Missing);
    assert_eq!(
        told,
        [
            missing("d/x"),
            missing("folder"),
            ("l", What::Link),
            missing("link"),
            missing("pipe")
        ]
    );
    assert_eq!(
        release::faults(&target.paths, &name(0), None).unwrap(),
        faults
    );
}

#[test]
fn modes_that_differ_are_told_and_those_that_people_keep_to_themselves_are_theirs() {
    let source = source(&[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1")]);
    set_mode(&source.path().join("b"), 0o755);
    set_mode(&source.path().join("c"), 0o600);
    let mut target = Target::new(Layout::Releases);
    let (wanted, _) = target.release(source.path(), &name(0));
    for (file, mode) in [("a", 0o755), ("b", 0o644), ("c", 0o644), ("d", 0o600)] {
        set_mode(&target.at("current").join(file), mode);
    }
    let Files::Read { faults, .. } = target.files(&wanted) else {
        panic!("it was changed");
    };
    let told: Vec<_> = faults.iter().map(|it| it.what).collect();
    assert_eq!(told, [What::Mode, What::Mode, What::Mode, What::Private]);
    // One that was verified as theirs is no link of a new release all the same.
    for (file, mode) in [("a", 0o644), ("b", 0o755), ("c", 0o600)] {
        set_mode(&target.at("current").join(file), mode);
    }
    let Files::Read { stamp, .. } = target.files(&wanted) else {
        panic!("it was changed");
    };
    release::remember_stamp(&target.paths, &name(0), &stamp.unwrap()).unwrap();
    assert_eq!(target.files(&wanted), Files::Verified);
    let (upload, _) = target.upload(source.path(), &name(1));
    let faults = target.receive(&upload).faults;
    let private = Fault {
        path: "d".to_owned(),
        what: What::Private,
    };
    assert_eq!(faults, [private]);
    for (file, mode) in [("a", 0o755), ("b", 0o644), ("c", 0o644)] {
        set_mode(&target.at("current").join(file), mode);
    }
    assert_eq!(
        release::faults(&target.paths, &name(0), None)
            .unwrap()
            .len(),
        3
    );
}

#[test]
fn a_stream_that_ends_anywhere_leaves_what_there_was() {
    let source = source(&[("a", "1"), ("b/c", "22"), ("d", &"long ".repeat(100))]);
    let mut target = Target::new(Layout::Releases);
    let (wanted, _) = target.release(source.path(), &name(0));
    fs::write(source.path().join("a"), "2").unwrap();
    for compressed in [false, true] {
        let (mut upload, _) = target.upload(source.path(), &name(1));
        upload.compressed = compressed;
        let stream = upload.send(Vec::new()).unwrap();
        for end in 0..stream.len() {
            let cut = receive(&target.paths, &upload.incoming(), &stream[..end]);
            assert!(matches!(cut, Err(StoreError::Stream(_))), "{end}: {cut:?}");
            assert_eq!(target.look(None).releases, [name(0)]);
        }
        let more = [stream.as_slice(), b"x"].concat();
        if !compressed {
            // What follows belongs to whoever sends it.
            assert_eq!(
                receive(&target.paths, &upload.incoming(), more.as_slice())
                    .unwrap()
                    .faults,
                []
            );
        }
        assert_eq!(target.receive(&upload).faults, []);
        assert_eq!(
            target.files(&wanted),
            Files::Unread.max_read(&target, &wanted)
        );
    }
    let left = fs::read_dir(target.at("releases")).unwrap().count();
    assert_eq!(left, 2, "one release, and one partial one");
}

impl Files {
    /// What a look tells where links were made since the last one.
    fn max_read(self, target: &Target, wanted: &Tree) -> Self {
        match target.files(wanted) {
            Self::Read { stamp, faults } if faults.is_empty() => Self::Read { stamp, faults },
            _ => self,
        }
    }
}

#[test]
fn a_manifest_that_leads_out_is_refused() {
    let outside = tempfile::tempdir().unwrap();
    let target = Target::new(Layout::Releases);
    let link = Kind::Symlink {
        target: outside.path().to_str().unwrap().to_owned(),
    };
    for wanted in [
        tree(&[("../x", file("1", Mode::Plain))]),
        tree(&[("/x", file("1", Mode::Plain))]),
        tree(&[("a/../../x", file("1", Mode::Plain))]),
        tree(&[("", file("1", Mode::Plain))]),
        tree(&[("a\0", file("1", Mode::Plain))]),
        tree(&[("a", link.clone()), ("a/x", file("1", Mode::Plain))]),
        tree(&[("a", link), ("a/b/x", file("1", Mode::Plain))]),
    ] {
        let upload = Upload {
            sources: Arc::new(Manifest::default()),
            wanted: Arc::new(wanted),
            kept: BTreeMap::new(),
            pieces: Pieces::new(),
            current: None,
            release: name(0),
            compressed: false,
            only: None,
        };
        let mut stream = Vec::new();
        let text = to_text(&upload.wanted);
        let length = text.len() as u64;
        crate::stream::Item::Manifest { length }
            .write(&mut stream)
            .unwrap();
        stream.extend(text.bytes());
        crate::stream::Item::Whole { entry: 0 }
            .write(&mut stream)
            .unwrap();
        stream.extend(b"1");
        crate::stream::Item::End.write(&mut stream).unwrap();
        let refused = receive(&target.paths, &upload.incoming(), stream.as_slice());
        assert!(matches!(refused, Err(StoreError::Stream(_))), "{refused:?}");
    }
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    let mut incoming = Incoming {
        release: "../../x".to_owned(),
        current: None,
        compressed: false,
        completes: false,
    };
    assert!(receive(&target.paths, &incoming, [].as_slice()).is_err());
    (incoming.release, incoming.current) = (name(0), Some("/".to_owned()));
    assert!(receive(&target.paths, &incoming, [].as_slice()).is_err());
}

#[test]
fn what_changes_while_it_is_sent_is_noticed() {
    let source = source(&[("a", "11"), ("b", "22"), ("c", "33")]);
    let target = Target::new(Layout::Releases);
    let (upload, _) = target.upload(source.path(), &name(0));
    fs::write(source.path().join("a"), "1").unwrap();
    fs::write(source.path().join("b"), "222").unwrap();
    fs::write(source.path().join("c"), "44").unwrap();
    let faults = target.receive(&upload).faults;
    let told: Vec<_> = faults
        .iter()
        .map(|it| (it.path.as_str(), it.what))
        .collect();
    assert_eq!(told, [("a", What::Content), ("c", What::Content)]);
}

#[test]
fn a_look_tells_what_is_there() {
    let source = source(&[("a", "1")]);
    let mut target = Target::new(Layout::Releases);
    let nothing = target.look(None);
    assert!(nothing.current.is_none() && nothing.free_kib > Some(0));
    let (first, _) = target.release(source.path(), &name(0));
    fs::write(source.path().join("a"), "2").unwrap();
    let (second, _) = target.release(source.path(), &name(1));
    release::prove(&target.paths, &name(0), "{\"run\":1}").unwrap();
    fs::create_dir(target.at("releases/mine")).unwrap();
    fs::write(target.at(".deploy/project"), "web\n").unwrap();
    let seen = target.look(Some(&first));
    assert_eq!(seen.releases, [name(0), name(1)]);
    assert_eq!(
        seen.proven,
        BTreeMap::from([(name(0), "{\"run\":1}".to_owned())])
    );
    assert_eq!((seen.project.as_deref(), seen.foreign), (Some("web"), None));
    let current = seen.current.unwrap();
    assert_eq!(
        (current.name, current.digest),
        (name(1), Some(digest(&second)))
    );
    assert_eq!(current.files, Files::Of(second.clone()));
    assert_eq!(target.look(None).current.unwrap().files, Files::Verified);
    // A stamp of the version before is none of ours; it costs one reading.
    let stamp = target.at(&format!(".deploy/stamps/{}", name(1)));
    fs::write(stamp, format!("{}  -\n", "0".repeat(64))).unwrap();
    assert_eq!(target.look(None).current.unwrap().files, Files::Unread);
    assert!(matches!(target.files(&second), Files::Read { faults, .. } if faults.is_empty()));
    fs::remove_file(target.at(&format!(".deploy/manifests/{}", name(1)))).unwrap();
    assert_eq!(target.files(&second), Files::Of(Tree::new()));
    fs::remove_file(target.at("current")).unwrap();
    fs::create_dir(target.at("current")).unwrap();
    assert_eq!(target.look(None).foreign.as_deref(), Some("(not a link)"));
    let below = |target: &str| Paths {
        target: target.to_owned(),
        layout: Layout::InPlace,
    };
    let file = target.at("releases").join(name(0)).join("a");
    let seen = look(&below(&format!("{}/b/c", file.display())), None, true);
    assert_eq!(seen.blocked.as_deref(), file.to_str());
    if !rustix::process::geteuid().is_root() {
        let seen = look(&below("/proc/nowhere/at/all"), None, true);
        assert_eq!(seen.closed.as_deref(), Some("/proc"));
    }
}

#[test]
fn a_release_is_proven_only_until_it_is_started_again() {
    let source = source(&[("a", "1")]);
    let mut target = Target::new(Layout::Releases);
    target.release(source.path(), &name(0));
    release::prove(&target.paths, &name(0), "how").unwrap();
    release::switch(&target.paths, &name(0), false).unwrap();
    assert!(target.look(None).proven.contains_key(&name(0)));
    release::switch(&target.paths, &name(0), true).unwrap();
    let seen = target.look(None);
    assert!(seen.proven.is_empty() && seen.doubted[&name(0)] == "how");
    release::prove(&target.paths, &name(0), "how else").unwrap();
    let seen = target.look(None);
    assert!(seen.doubted.is_empty() && seen.proven[&name(0)] == "how else");
    let proof = target.at(&format!(".deploy/proven/{}", name(0)));
    assert_eq!(fs::metadata(proof).unwrap().mode() & 0o777, 0o600);
    assert_eq!(
        release::switch(&target.paths, &name(7), true),
        Err(StoreError::Gone(name(7)))
    );
    assert_eq!(
        fs::read_link(target.at("current")).unwrap(),
        Path::new("releases").join(name(0))
    );
    release::unswitch(&target.paths).unwrap();
    release::unswitch(&target.paths).unwrap();
    for line in ["{\"a\":1}", "{\"a\":2}\n"] {
        release::audit(&target.paths, line).unwrap();
    }
    let record = fs::read_to_string(target.at(".deploy/audit.jsonl")).unwrap();
    assert_eq!(record, "{\"a\":1}\n{\"a\":2}\n");
}

#[test]
fn old_releases_go_whole_but_never_the_current() {
    let source = source(&[("a/b", "1")]);
    let mut target = Target::new(Layout::Releases);
    target.release(source.path(), &name(0));
    target.release(source.path(), &name(1));
    // As the application may have left it.
    let folder = target.at(&format!("releases/{}/a", name(0)));
    set_mode(&folder, 0o500);
    symlink("/", folder.parent().unwrap().join("root")).unwrap();
    fs::write(target.at(&format!(".deploy/logs/{}-start", name(0))), "x").unwrap();
    let all = [name(0), name(1), "..".to_owned()];
    assert_eq!(
        release::remove(&target.paths, &all),
        Err(StoreError::There(name(1)))
    );
    assert_eq!(target.look(None).releases, [name(1)]);
    let left = fs::read_dir(target.at(".deploy/manifests")).unwrap();
    assert_eq!(left.count(), 1);
    // Its logs tell what was wrong with it, until the next one comes.
    assert!(
        target
            .at(&format!(".deploy/logs/{}-start", name(0)))
            .exists()
    );
    target.release(source.path(), &name(2));
    assert!(
        !target
            .at(&format!(".deploy/logs/{}-start", name(0)))
            .exists()
    );
}

#[test]
fn in_place_what_is_somebody_elses_stays_and_what_is_replaced_comes_back() {
    let source = source(&[("a", "ours"), ("d/e", "ours"), ("gone/x", "1")]);
    let mut target = Target::new(Layout::InPlace);
    for (path, content) in [("a", "theirs"), ("theirs", "1"), ("gone/theirs", "1")] {
        fs::create_dir_all(target.at(path).parent().unwrap()).unwrap();
        fs::write(target.at(path), content).unwrap();
    }
    let (wanted, _) = target.release(source.path(), &name(0));
    fs::remove_dir_all(source.path().join("gone")).unwrap();
    let (second, _) = target.release(source.path(), &name(1));
    assert!(target.at("gone/theirs").exists() && !target.at("gone/x").exists());
    assert_eq!(target.files(&second), Files::Verified);
    assert_eq!(target.live().len(), second.len() + 2);
    // Stopped in the middle of placing: what of either is there is not known.
    fs::write(target.at("a"), "half").unwrap();
    fs::remove_dir_all(target.at("d")).unwrap();
    fs::write(target.at(".deploy/placing"), name(1)).unwrap();
    assert_eq!(target.look(None).placing, Some(name(1)));
    let back = Put {
        release: name(0),
        is_wanted: true,
        from: vec![name(1), name(0)],
        altered: Altered::All,
    };
    let (_, faults) = put(&target.paths, &back).unwrap();
    assert_eq!(faults, []);
    release::switch(&target.paths, &name(0), true).unwrap();
    target.current = Some(name(0));
    assert_eq!(target.look(None).placing, None);
    assert!(
        target
            .live()
            .keys()
            .eq(["a", "d/e", "gone/theirs", "gone/x", "theirs"])
    );
    assert!(
        wanted
            .iter()
            .all(|(path, kind)| target.live().get(path) == Some(kind))
    );
    // Taken down.
    let down = Put {
        is_wanted: false,
        ..back
    };
    put(&target.paths, &down).unwrap();
    restore_replaced(&target.paths, &name(0)).unwrap();
    assert_eq!(fs::read_to_string(target.at("a")).unwrap(), "theirs");
    assert!(target.live().keys().eq(["a", "gone/theirs", "theirs"]));
    assert!(!target.at("d").exists());
}

#[test]
fn in_place_what_is_in_the_way_is_named_and_no_link_is_followed() {
    let outside = source(&[("x", "theirs")]);
    let source = source(&[("d/x", "1"), ("f", "1"), ("g/y/z", "1")]);
    let mut target = Target::new(Layout::InPlace);
    symlink(outside.path(), target.at("d")).unwrap();
    fs::create_dir(target.at("f")).unwrap();
    fs::write(target.at("g"), "1").unwrap();
    let (upload, _) = target.upload(source.path(), &name(0));
    assert_eq!(target.receive(&upload).faults, []);
    commit(&target.paths, &name(0), &[], None).unwrap();
    let moved = Put {
        release: name(0),
        is_wanted: true,
        from: Vec::new(),
        altered: Altered::Doubted,
    };
    let Err(StoreError::InTheWay { paths, .. }) = put(&target.paths, &moved) else {
        panic!("it is in the way");
    };
    assert_eq!(paths, ["d", "f/", "g"]);
    for path in ["d", "g"] {
        fs::remove_file(target.at(path)).unwrap();
    }
    fs::remove_dir(target.at("f")).unwrap();
    put(&target.paths, &moved).unwrap();
    // A folder of ours that became a link since: what it leads to is not ours to remove.
    fs::remove_dir_all(target.at("d")).unwrap();
    symlink(outside.path(), target.at("d")).unwrap();
    target.current = Some(name(0));
    let down = Put {
        is_wanted: false,
        from: vec![name(0)],
        ..moved
    };
    put(&target.paths, &down).unwrap();
    assert_eq!(
        fs::read_to_string(outside.path().join("x")).unwrap(),
        "theirs"
    );
    assert!(!target.at("f").exists() && !target.at("g").exists());
}

#[test]
fn shared_paths_are_carried_over_brought_or_made() {
    let shared = [
        "data".to_owned(),
        "conf/app.ini".to_owned(),
        "new".to_owned(),
    ];
    let old = source(&[("a", "1"), ("data/rows", "1")]);
    let mut target = Target::new(Layout::Releases);
    target.release(old.path(), &name(0));
    target.release(old.path(), &name(1));
    let seen = look_at_shared(&target.paths, &shared, Some(&name(1)));
    assert_eq!(
        seen,
        [
            SharedPath::Carried,
            SharedPath::Missing,
            SharedPath::Missing
        ]
    );
    let new = source(&[
        ("a", "2"),
        ("conf/app.ini", "x=1"),
        ("data/rows", "brought"),
    ]);
    set_mode(&new.path().join("conf/app.ini"), 0o600);
    let (_, sources) = read(new.path());
    let wanted = wanted(&sources, &shared).unwrap();
    let (upload, _) = target.upload(new.path(), &name(2));
    let upload = Upload {
        sources,
        wanted: Arc::new(wanted),
        kept: BTreeMap::new(),
        ..upload
    };
    assert_eq!(target.receive(&upload).faults, []);
    let done = commit(&target.paths, &name(2), &shared, Some(&name(1))).unwrap();
    assert_eq!(done.carried, ["data"]);
    assert_eq!(done.kept, [format!("kept/{}/data", name(0))]);
    let told = |path: &str| fs::read_to_string(target.at(path)).unwrap();
    assert_eq!(told("shared/data/rows"), "1");
    assert_eq!(told("shared/conf/app.ini"), "x=1");
    assert_eq!(
        fs::metadata(target.at("shared/conf/app.ini"))
            .unwrap()
            .mode()
            & 0o777,
        0o600
    );
    assert!(target.at("shared/new").is_dir());
    for n in 0..3 {
        assert_eq!(told(&format!("releases/{}/data/rows", name(n))), "1");
    }
    // What was moved is no fault of an older release.
    assert_eq!(release::faults(&target.paths, &name(1), None).unwrap(), []);
    let seen = look_at_shared(&target.paths, &shared, Some(&name(1)));
    assert_eq!(seen, [SharedPath::There; 3]);
    assert_eq!(
        commit(&target.paths, &name(2), &[], None),
        Err(StoreError::There(name(2)))
    );
}

#[test]
fn what_was_written_into_a_release_is_kept_when_that_goes() {
    let source = source(&[("a", "1"), ("data/rows", "1")]);
    let target = Target::new(Layout::Releases);
    for n in 0..3 {
        let (upload, _) = target.upload(source.path(), &name(n));
        target.receive(&upload);
        // It took an hour to send.
        let manifest = target.at(&format!(".deploy/manifests/{}", name(n)));
        let manifest = fs::File::options().append(true).open(manifest).unwrap();
        let hour = std::time::Duration::from_secs(3600);
        manifest
            .set_modified(std::time::SystemTime::now() - hour)
            .unwrap();
        commit(&target.paths, &name(n), &[], None).unwrap();
    }
    let written = target.at(&format!("releases/{}/data/written", name(1)));
    let file = fs::File::create(written).unwrap();
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(120);
    file.set_modified(later).unwrap();
    let old = [name(0), name(1)];
    let kept = keep_written(&target.paths, &old, &["data".to_owned()], &[name(0)]).unwrap();
    assert_eq!(kept, [format!("kept/{}/data", name(1))]);
    assert!(target.at(&kept[0]).join("written").exists());
    let kept = keep_written(&target.paths, &old, &[], &old).unwrap();
    assert_eq!(kept, Vec::<String>::new(), "the rest is as it was");
}

#[test]
fn requests_and_answers_travel_as_they_are() {
    let seen = Seen {
        current: Some(Running {
            name: name(0),
            digest: Some(Digest::of(b"1")),
            files: Files::Of(tree(&[
                ("a", file("1", Mode::Private)),
                ("d", Kind::EmptyDir),
            ])),
        }),
        ..Seen::default()
    };
    let bytes = postcard::to_stdvec(&seen).unwrap();
    assert_eq!(postcard::from_bytes::<Seen>(&bytes).unwrap(), seen);
    let error = StoreError::at("write", "a", std::io::Error::from_raw_os_error(28));
    assert!(error.is_full() && !error.is_denied());
    let bytes = postcard::to_stdvec(&error).unwrap();
    assert_eq!(postcard::from_bytes::<StoreError>(&bytes).unwrap(), error);
    assert_eq!(
        error.to_string(),
        "cannot write `a`: No space left on device (os error 28)"
    );
}
