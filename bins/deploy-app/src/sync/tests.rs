#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use super::listing::{Folder, Listing, SEGMENT, What, script};
use super::pieces::Pieces;
use super::upload::{Upload, null_separated};
use super::*;
use crate::application;
use crate::layout::{Layout, Paths};
use crate::release::scripts;
use bundle::manifest::{Manifest, Mode};
use bundle::names::bytes;
use bundle::tree::{Rules, Source};
use proptest::prelude::*;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use tokio::sync::mpsc;

fn file(content: &str, mode: Mode) -> Kind {
    Kind::File {
        mode,
        size: content.len() as u64,
        sha256: Digest::of(content.as_bytes()),
    }
}

fn tree(entries: &[(&str, Kind)]) -> Tree {
    entries
        .iter()
        .map(|(path, kind)| ((*path).to_owned(), kind.clone()))
        .collect()
}

#[test]
fn equal_trees_differ_in_nothing_whatever_the_application_wrote() {
    let both = tree(&[
        ("a", file("1", Mode::Plain)),
        ("l", Kind::Symlink { target: "a".into() }),
        ("d", Kind::EmptyDir),
    ]);
    let found = diff(&both, &both, &BTreeSet::new());
    assert!(found.is_empty(), "{found:?}");
    assert_eq!(found.kept.get("a"), Some(&"a".to_owned()));
}

#[test]
fn differences_are_named() {
    let stored = tree(&[
        ("same", file("1", Mode::Plain)),
        ("edited", file("2", Mode::Plain)),
        ("mode", file("3", Mode::Plain)),
        ("altered-there", file("4", Mode::Plain)),
        ("gone", file("5", Mode::Plain)),
    ]);
    let wanted = tree(&[
        ("same", file("1", Mode::Plain)),
        ("edited", file("2b", Mode::Plain)),
        ("mode", file("3", Mode::Executable)),
        ("altered-there", file("4", Mode::Plain)),
        ("moved", file("5", Mode::Plain)),
        ("new", file("6", Mode::Plain)),
    ]);
    let altered = BTreeSet::from(["altered-there".to_owned()]);
    let found = diff(&wanted, &stored, &altered);
    assert_eq!(found.added, ["moved", "new"]);
    assert_eq!(found.changed, ["altered-there", "edited", "mode"]);
    assert_eq!(found.removed, ["gone"]);
    let kept: Vec<_> = found
        .kept
        .iter()
        .map(|(to, from)| (to.as_str(), from.as_str()))
        .collect();
    assert_eq!(kept, [("moved", "gone"), ("same", "same")]);
}

#[test]
fn a_stored_manifest_reads_back() {
    let stored = tree(&[
        ("a b\\c", file("1", Mode::Executable)),
        ("p", file("1", Mode::Private)),
        ("q", file("1", Mode::PrivateExecutable)),
        (
            "l",
            Kind::Symlink {
                target: "x\ty\nz".into(),
            },
        ),
        ("d/e", Kind::EmptyDir),
    ]);
    assert_eq!(from_text(&to_text(&stored)), Some(stored));
    for text in [
        "",
        "other\n",
        "deploy-app manifest 2\n100644\tzz\t1\ta\n",
        "deploy-app manifest 2\nx\n",
    ] {
        assert_eq!(from_text(text), None, "{text}");
    }
}

#[test]
fn shared_paths_become_links_and_clobber_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    std::fs::write(folder.path().join("data/a"), "1").unwrap();
    let manifest = bundle::tree::read(&[Source::root(folder.path())], &Rules::default()).unwrap();
    let tree = wanted(&manifest, &["var/db".to_owned()]).unwrap();
    assert_eq!(
        tree.get("var/db"),
        Some(&Kind::Symlink {
            target: "../../../shared/var/db".into()
        })
    );
    for shared in ["data", "data/a", "data/a/b"] {
        assert!(
            wanted(&manifest, &[shared.to_owned()])
                .unwrap_err()
                .contains("data/a"),
            "{shared}"
        );
    }
}

#[test]
fn hash_lines_are_read_as_gnu_and_busybox_write_them() {
    let digest = Digest::of(b"1");
    let text = format!(
        "{digest}  ./a b\n\\{digest}  ./c\\\\d\\ne\n{digest} *./f\nsha256sum: ./x: Permission denied\n{digest}  -\n"
    );
    let names: Vec<String> = Listing::parse(text.as_bytes()).hashes.into_keys().collect();
    assert_eq!(names, ["a b", "c\\d\ne", "f"]);
}

#[test]
fn every_fault_of_an_unpacked_release_is_found() {
    let wanted = tree(&[
        ("a", file("1", Mode::Plain)),
        ("b", file("2", Mode::Executable)),
        ("c", file("3", Mode::Plain)),
        ("d", file("1", Mode::Executable)),
        ("e", file("1", Mode::Private)),
        ("f", file("1", Mode::Plain)),
        ("l", Kind::Symlink { target: "a".into() }),
    ]);
    let text = format!(
        "{0}  ./a\n{1}  ./b\n{2}  ./x\n{0}  ./d\n{0}  ./e\n{0}  ./f\n== segments\n\0x./a\0p./f\0l./l\0b\0",
        Digest::of(b"1"),
        Digest::of(b"!"),
        Digest::of(b"9"),
    );
    let faults: Vec<String> = Listing::parse(text.as_bytes())
        .faults(&wanted)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        faults,
        [
            "`a` has another mode",
            "`b` has other content",
            "`c` is missing",
            "`d` has another mode",
            "`e` has another mode",
            "`f` may be read by its owner only",
            "link `l` is missing or leads elsewhere",
            "`x` does not belong there",
        ]
    );
}

/// A host's folder on this machine, worked on by the scripts that a host runs.
struct Target {
    folder: tempfile::TempDir,
    paths: Paths,
    current: Option<String>,
    /// What its shell runs before anything else.
    before: String,
    /// The only folder in which it looks for tools, where not in all of this machine's.
    tools: Option<PathBuf>,
}

impl Target {
    fn new(layout: Layout) -> Self {
        let folder = tempfile::TempDir::with_prefix("target").unwrap();
        let paths = Paths {
            target: folder.path().to_str().unwrap().to_owned(),
            layout,
        };
        let target = Self {
            folder,
            paths,
            current: None,
            before: String::new(),
            tools: None,
        };
        target.sh(
            &format!(
                "cd {} && mkdir -p {} .deploy/manifests .deploy/lists .deploy/pieces .deploy/stamps",
                target.paths.quoted(),
                target.paths.store()
            ),
            &[],
        );
        target
    }

    fn sh(&self, script: &str, input: &[u8]) -> Vec<u8> {
        let mut sh = Command::new("sh");
        // The shell itself is looked for there too.
        sh.envs(self.tools.iter().map(|tools| ("PATH", tools)));
        let mut child = sh
            .args(["-c", &format!("{}{script}", self.before)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        assert!(output.status.success(), "{script}");
        output.stdout
    }

    fn own(&self, folder: &str, release: &str) -> String {
        let path = self
            .folder
            .path()
            .join(".deploy")
            .join(folder)
            .join(release);
        std::fs::read_to_string(path).unwrap()
    }

    /// What is to be sent, how it differs, and what is there.
    fn upload(&self, source: &Path, name: &str) -> (Upload, Diff, Tree) {
        let (wanted, sources) = read(source);
        let current = self.current.clone();
        let stored = current
            .as_ref()
            .map(|current| from_text(&self.own("manifests", current)).unwrap())
            .unwrap_or_default();
        let found = diff(&wanted, &stored, &BTreeSet::new());
        let upload = Upload {
            sources,
            wanted: Arc::new(wanted),
            kept: found.kept.clone(),
            pieces: current
                .as_ref()
                .map(|current| pieces::from_text(&self.own("pieces", current)))
                .unwrap_or_default(),
            current,
            release: name.to_owned(),
            paths: self.paths.clone(),
            gzip: true,
            only: None,
        };
        (upload, found, stored)
    }

    /// Sends a release, and makes it current; gives what was wanted and how it differed.
    fn release(&mut self, source: &Path, name: &str) -> (Tree, Diff) {
        let (upload, found, stored) = self.upload(source, name);
        let wanted = Tree::clone(&upload.wanted);
        let unpack = scripts::unpack(&self.paths, name, true, false, true);
        let output = self.sh(&unpack, &sent(upload));
        let end = output.iter().position(|byte| *byte == b'\n').unwrap();
        let faults = Listing::parse(&output[end + 1..]).faults(&wanted);
        assert!(faults.is_empty(), "{faults:?}");
        self.sh(&scripts::commit(&self.paths, name, &[]), &[]);
        if self.paths.layout == Layout::InPlace {
            let moves = crate::place::moves(&stored, &wanted, &BTreeSet::new());
            let list = |paths: &[String]| null_separated(paths.iter().map(String::as_str));
            for (script, list) in [
                (
                    scripts::remove_files(&self.paths, "true"),
                    list(&moves.remove),
                ),
                (scripts::remove_folders(&self.paths), list(&moves.fold)),
                (
                    scripts::place(&self.paths, name, "true"),
                    list(&moves.place),
                ),
            ] {
                if !list.is_empty() {
                    self.sh(&script, &list);
                }
            }
        }
        self.current = Some(name.to_owned());
        (wanted, found)
    }

    /// What lies where the release runs, read by the reader of sources.
    fn live(&self) -> Tree {
        let folder = PathBuf::from(self.paths.live(self.current.as_deref().unwrap()));
        let mut tree = read(&folder).0;
        tree.retain(|path, _| !path.starts_with(".deploy/"));
        tree
    }
}

fn read(source: &Path) -> (Tree, Arc<Manifest>) {
    let manifest = bundle::tree::read(&[Source::root(source)], &application::rules()).unwrap();
    let wanted = wanted(&manifest, &[]).unwrap();
    (wanted, Arc::new(manifest))
}

/// The whole stream of an upload.
fn sent(upload: Upload) -> Vec<u8> {
    let (tell, mut heard) = mpsc::channel(4);
    let sender = std::thread::spawn(move || upload.send(tell));
    let mut stream = Vec::new();
    while let Some(chunk) = heard.blocking_recv() {
        stream.extend(chunk.unwrap());
    }
    sender.join().unwrap();
    stream
}

/// Bytes that repeat nowhere.
fn noise(length: usize, mut state: u64) -> Vec<u8> {
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect()
}

#[test]
fn the_script_hashes_the_segments_that_the_program_does() {
    let script = script(Folder::Release, true);
    assert_eq!(script.matches(&format!("-size +{SEGMENT}c")).count(), 3);
    assert!(script.contains(&format!("n * {SEGMENT}")));
    assert!(script.contains(&format!("hashlib.sha256(), {SEGMENT}\n")));
    assert!(script.contains(&format!("$1 * {}", SEGMENT / 65536)));
}

#[test]
fn a_large_file_that_changed_little_is_put_together_on_the_host() {
    let source = tempfile::tempdir().unwrap();
    // A host whose `dd` only knows what POSIX asks of it, and which has no Python.
    let plain = tempfile::tempdir().unwrap();
    for (tool, text) in [
        (
            "dd",
            "case $* in *flag=*) exit 1;; esac; PATH=${PATH#*:} exec dd \"$@\"",
        ),
        ("python3", "exit 127"),
    ] {
        let path = plain.path().join(tool);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(path, executable).unwrap();
    }
    let plain = format!("PATH={}:$PATH; export PATH; ", plain.path().display());
    let mut target = Target::new(Layout::Releases);
    // A first segment that is quickly made, and a second one of noise.
    let first = [vec![0; SEGMENT as usize], noise(5 << 20, 5)].concat();
    let model = source.path().join("it's a model");
    std::fs::write(&model, &first).unwrap();
    std::fs::write(source.path().join("small"), "1").unwrap();
    target.release(source.path(), "20260101000000-abcdef0");
    let at = SEGMENT as usize + (2 << 20);
    let mut edited = first.clone();
    edited[at..at + 1000].copy_from_slice(&noise(1000, 6));
    let shorter = [&first[..at], &noise(100, 7), &first[at..at + (2 << 20)]].concat();
    for (n, (content, before)) in [(edited, ""), (shorter, ""), (first, &plain)]
        .into_iter()
        .enumerate()
    {
        let release = format!("2026010100000{}-abcdef0", n + 1);
        std::fs::write(&model, &content).unwrap();
        let mut upload = target.upload(source.path(), &release).0;
        upload.gzip = false;
        let length = sent(upload).len();
        assert!(length < 4 << 20, "{length} B were sent for {release}");
        target.before = before.to_owned();
        let (wanted, _) = target.release(source.path(), &release);
        assert_eq!(target.live(), wanted, "{release}");
    }
    // The releases before are what they were, and nothing is left of the pieces.
    let left = std::fs::read_dir(target.folder.path().join("releases")).unwrap();
    assert_eq!(left.count(), 4);
}

#[test]
fn what_was_damaged_on_the_host_is_noticed_when_it_is_linked() {
    let source = tempfile::tempdir().unwrap();
    let mut target = Target::new(Layout::Releases);
    std::fs::write(source.path().join("a"), "1").unwrap();
    std::fs::write(source.path().join("b"), "2").unwrap();
    let (_, sources) = read(source.path());
    target.release(source.path(), "20260101000000-abcdef0");
    let stored = target
        .folder
        .path()
        .join("releases/20260101000000-abcdef0/a");
    std::fs::write(stored, "?").unwrap();
    std::fs::write(source.path().join("b"), "3").unwrap();
    let (wanted, _) = read(source.path());
    let upload = Upload {
        sources,
        wanted: Arc::new(wanted.clone()),
        kept: BTreeMap::from([("a".to_owned(), "a".to_owned())]),
        pieces: Pieces::new(),
        current: target.current.clone(),
        release: "20260101000001-abcdef0".to_owned(),
        paths: target.paths.clone(),
        gzip: true,
        only: None,
    };
    let faults = |target: &Target, upload: Upload, again| {
        let script = scripts::unpack(&target.paths, &upload.release, true, again, false);
        let output = target.sh(&script, &sent(upload));
        let end = output.iter().position(|byte| *byte == b'\n').unwrap();
        Listing::parse(&output[end + 1..]).faults(&wanted)
    };
    let found = faults(&target, upload.clone(), false);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].path.as_str(), found[0].what),
        ("a", What::Content)
    );
    let only = Some(BTreeSet::from(["a".to_owned()]));
    let found = faults(&target, Upload { only, ..upload }, true);
    assert!(found.is_empty(), "{found:?}");
    // What was linked is another file now; the old one is as damaged as before.
    let old = target
        .folder
        .path()
        .join("releases/20260101000000-abcdef0/a");
    assert_eq!(std::fs::read_to_string(old).unwrap(), "?");
}

#[test]
fn many_hashes_come_whole_by_whatever_tools() {
    let folder = tempfile::tempdir().unwrap();
    let odd: [&[u8]; 6] = [
        b"back\\slash",
        b"new\nline",
        b"-n",
        b"l\xe4tin",
        b"failed",
        b"%s",
    ];
    let odd = odd.iter().map(|name| name.to_vec());
    // Lines of all lengths, in several batches.
    let many = (0..4500).map(|n| format!("{n}-{}", "n".repeat(n % 240)).into_bytes());
    let wanted: Tree = many
        .chain(odd)
        .map(|name| {
            let name = std::ffi::OsStr::from_bytes(&name);
            std::fs::write(folder.path().join(name), name.as_bytes()).unwrap();
            let text = bytes::to_text(name);
            let kind = Kind::File {
                mode: Mode::Plain,
                size: name.len() as u64,
                sha256: Digest::of(name.as_bytes()),
            };
            (text, kind)
        })
        .collect();
    let tools = tempfile::tempdir().unwrap();
    let awk = tools.path().join("awk");
    std::fs::write(&awk, "#!/bin/sh\nexec busybox awk \"$@\"\n").unwrap();
    std::fs::set_permissions(&awk, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let by_busybox = format!("PATH={}:$PATH", tools.path().display());
    for before in ["", "openssl() { return 1; }", &by_busybox] {
        let script = format!(
            "{before}\ncd {}\n{}",
            folder.path().display(),
            script(Folder::Release, false)
        );
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{before}");
        let faults = Listing::parse(&output.stdout).faults(&wanted);
        assert!(faults.is_empty(), "{before}: {faults:?}");
    }
    // A file that cannot be read is told of by the script's end; so is one that is hashed on its own.
    let script = format!(
        "cd {}; find() {{ printf 'gone\\0'; }}; set -e\n{}",
        folder.path().display(),
        script(Folder::Release, false)
    );
    let status = Command::new("sh")
        .args(["-c", &script])
        .output()
        .unwrap()
        .status;
    assert!(!status.success());
}

#[test]
fn long_files_that_cannot_be_read_keep_no_other_from_being_hashed() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("there"), "1").unwrap();
    // More of them than there are threads.
    let gone = (0..3).map(|n| format!("./gone{n}"));
    let unreadable = (0..300).map(|n| {
        std::fs::create_dir(folder.path().join(n.to_string())).unwrap();
        format!("./{n}")
    });
    let output = Command::new("python3")
        .args(["-ISc", include_str!("segments.py")])
        .args(gone.chain(unreadable))
        .arg("./there")
        .current_dir(folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(told, format!("0 {}\0./there\0", Digest::of(b"1")));
    let why = String::from_utf8(output.stderr).unwrap();
    assert!(why.contains("./gone2") && why.contains("./299"), "{why}");
    assert!(!why.contains("Traceback"), "{why}");
}

#[test]
fn a_name_that_no_line_can_carry_comes_whole() {
    let folder = tempfile::tempdir().unwrap();
    // Their lines would be written in two, and mix with those of the processes beside.
    let deep = folder.path().join(vec!["d".repeat(249); 16].join("/"));
    std::fs::create_dir_all(&deep).unwrap();
    let mut wanted = Tree::new();
    for n in 0..150 {
        let path = deep.join(format!("{n:040}"));
        std::fs::write(&path, n.to_string()).unwrap();
        let name = path.strip_prefix(folder.path()).unwrap().to_str().unwrap();
        assert!(name.len() > 4030);
        wanted.insert(name.to_owned(), file(&n.to_string(), Mode::Plain));
    }
    for (n, has_long) in [false, true].into_iter().enumerate() {
        let name = format!("line\nfeed {n}");
        std::fs::write(folder.path().join(&name), "1").unwrap();
        wanted.insert(name, file("1", Mode::Plain));
        let script = format!(
            "cd {}\n{}",
            folder.path().display(),
            script(Folder::Release, has_long)
        );
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        let faults = Listing::parse(&output.stdout).faults(&wanted);
        assert!(faults.is_empty(), "{faults:?}");
        let lines = output.stdout.split(|byte| *byte == b'\n');
        let lines = lines.take_while(|line| *line != b"== segments");
        assert!(lines.into_iter().all(|line| line.len() < 4096));
    }
}

#[test]
fn kept_releases_are_not_read_to_tell_what_lies_in_place() {
    let source = tempfile::tempdir().unwrap();
    std::fs::write(source.path().join("a"), "1").unwrap();
    let mut target = Target::new(Layout::InPlace);
    let name = "20260101000000-abcdef0";
    let (wanted, _) = target.release(source.path(), name);
    target.sh(
        &format!(
            "cd {}/.deploy && ln -s releases/{name} current && echo 2 >../theirs",
            target.paths.quoted()
        ),
        &[],
    );
    let look = crate::release::look(&target.paths, &digest(&wanted).to_string());
    let state = crate::release::State::parse(&target.sh(&look, &[]));
    let listing = state.current.unwrap().listing.unwrap();
    assert_eq!(Vec::from_iter(listing.hashes.keys()), ["a", "theirs"]);
}

/// A folder with nothing but what BusyBox brings; none where it is not installed.
fn busybox() -> Option<tempfile::TempDir> {
    let Ok(list) = Command::new("busybox").arg("--list").output() else {
        harness::missing("busybox");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let found = Command::new("sh")
        .args(["-c", "command -v busybox"])
        .output()
        .unwrap();
    let busybox = String::from_utf8(found.stdout).unwrap();
    for applet in String::from_utf8(list.stdout).unwrap().lines() {
        std::os::unix::fs::symlink(busybox.trim(), folder.path().join(applet)).unwrap();
    }
    Some(folder)
}

#[test]
fn nothing_but_busybox_is_enough() {
    let Some(tools) = busybox() else { return };
    for layout in [Layout::Releases, Layout::InPlace] {
        let source = tempfile::tempdir().unwrap();
        let mut target = Target::new(layout);
        target.tools = Some(tools.path().to_owned());
        for (name, mode) in [
            ("plain", 0o644),
            ("program", 0o755),
            ("private", 0o600),
            ("private program", 0o700),
            ("new\nline", 0o644),
            ("end\n", 0o644),
            ("back\\slash", 0o755),
            ("return\r", 0o644),
            ("folder\n/-n", 0o644),
            ("failed", 0o644),
            ("quote'\"$x*", 0o600),
        ] {
            apply(
                source.path(),
                &Edit::Write(name.to_owned(), name.into(), mode),
            );
        }
        let latin = bytes::to_text(std::ffi::OsStr::from_bytes(b"l\xe4tin"));
        for edit in [
            Edit::Write(latin, b"1".to_vec(), 0o644),
            Edit::Link("link".to_owned(), "plain".to_owned()),
            Edit::Link("link\n".to_owned(), "./line\nfeed\n".to_owned()),
            Edit::Folder("empty".to_owned()),
        ] {
            apply(source.path(), &edit);
        }
        // Put together in either layout; in one of them it is hashed by segments too.
        let zeros = match layout {
            Layout::Releases => SEGMENT as usize,
            Layout::InPlace => 0,
        };
        let first = [vec![0; zeros], noise(5 << 20, 8)].concat();
        let mut edited = first.clone();
        edited[zeros + 500..][..1000].copy_from_slice(&noise(1000, 9));
        for (n, large) in [&first, &edited].into_iter().enumerate() {
            let release = format!("2026010100000{n}-abcdef0");
            std::fs::write(source.path().join("large\nmodel"), large).unwrap();
            let (wanted, _) = target.release(source.path(), &release);
            assert_eq!(target.live(), wanted, "{release}");
            let stored = target.sh(&scripts::list_stored(&target.paths, &release), &[]);
            let found = Listing::parse(&stored).faults(&wanted);
            assert!(found.is_empty(), "{release}: {found:?}");
            let live = target.sh(&scripts::list_live(&target.paths, &release, true), &[]);
            let end = live.iter().position(|byte| *byte == b'\n').unwrap();
            let found = Listing::parse(&live[end + 1..]).faults(&wanted);
            assert!(found.is_empty(), "{release}: {found:?}");
            apply(source.path(), &Edit::Remove("program".to_owned()));
            apply(
                source.path(),
                &Edit::Write("end\n".to_owned(), vec![1], 0o644),
            );
        }
    }
}

/// One edit of a random tree.
#[derive(Debug, Clone)]
enum Edit {
    Write(String, Vec<u8>, u32),
    Link(String, String),
    Folder(String),
    Remove(String),
}

/// Names as text, see [`bytes`].
fn name() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[a-c]",
        Just("-n".to_owned()),
        Just("with blank".to_owned()),
        Just("back\\slash".to_owned()),
        Just("quote'\"$x".to_owned()),
        Just("ünïcode".to_owned()),
        Just("*".to_owned()),
        Just("new\nline".to_owned()),
        Just("tab\tand\rreturn".to_owned()),
        Just(bytes::to_text(std::ffi::OsStr::from_bytes(b"l\xe4tin"))),
        Just("l".repeat(200)),
        Just("m".repeat(255)),
    ];
    proptest::collection::vec(part, 1..3).prop_map(|parts| parts.join("/"))
}

fn mode() -> impl Strategy<Value = u32> {
    proptest::sample::select(vec![0o644, 0o755, 0o600, 0o700, 0o640])
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let edit = prop_oneof![
        4 => (name(), proptest::collection::vec(any::<u8>(), 0..40), mode()).prop_map(|(n, c, mode)| Edit::Write(n, c, mode)),
        1 => (name(), prop_oneof![Just("a".to_owned()), Just("./a/../b".to_owned()), Just("z".repeat(150)), Just("line\nfeed\n".to_owned())]).prop_map(|(n, t)| Edit::Link(n, t)),
        1 => name().prop_map(Edit::Folder),
        1 => name().prop_map(Edit::Remove),
    ];
    proptest::collection::vec(edit, 1..12)
}

/// Applies an edit where the tree allows it; a name below a file does not.
fn apply(root: &Path, edit: &Edit) {
    use std::os::unix::fs::PermissionsExt as _;
    let (Edit::Write(name, ..) | Edit::Link(name, _) | Edit::Folder(name) | Edit::Remove(name)) =
        edit;
    let path = root.join(bytes::to_path(name));
    if std::fs::create_dir_all(path.parent().unwrap()).is_err() {
        return;
    }
    if std::fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir()) {
        std::fs::remove_dir_all(&path).unwrap();
    } else if std::fs::symlink_metadata(&path).is_ok() {
        std::fs::remove_file(&path).unwrap();
    }
    match edit {
        Edit::Write(_, content, mode) => {
            std::fs::write(&path, content).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(*mode)).unwrap();
        }
        Edit::Link(name, target) => {
            // Only links that stay inside and lead nowhere else travel; others are refused earlier.
            if bundle::names::link_stays_inside(name, target) {
                std::os::unix::fs::symlink(target, &path).unwrap();
            }
        }
        Edit::Folder(_) => std::fs::create_dir_all(&path).unwrap(),
        Edit::Remove(_) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Any tree, then any edits of it, arrive with content, mode and links, and nothing else, in
    /// either layout.
    #[test]
    fn released_trees_equal_their_sources(first in edits(), second in edits(), in_place in any::<bool>()) {
        let source = tempfile::tempdir().unwrap();
        let mut target = Target::new(if in_place { Layout::InPlace } else { Layout::Releases });
        std::fs::write(source.path().join("always"), "there").unwrap();
        let mut before = None;
        for (round, edits) in [first, second, Vec::new()].iter().enumerate() {
            for edit in edits {
                apply(source.path(), edit);
            }
            let name = format!("2026010100000{round}-abcdef0");
            let (wanted, found) = target.release(source.path(), &name);
            // An edit may change nothing, such as removing what is not there.
            let unchanged = before.as_ref() == Some(&wanted);
            prop_assert_eq!(found.is_empty(), unchanged, "{:?}", found);
            prop_assert!(unchanged || !edits.is_empty() || round == 0);
            prop_assert_eq!(&target.live(), &wanted);
            before = Some(wanted);
        }
    }
}
