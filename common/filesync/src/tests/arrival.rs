//! What a stream brings to the host, and what of it is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;

use bundle::digest::Digest;
use bundle::manifest::{Kind, Manifest, Mode};

use super::host::{Target, name, set_mode, source};
use super::{file, noise, tree};
use crate::pieces::Pieces;
use crate::*;

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

impl Files {
    /// What a look tells where links were made since the last one.
    fn max_read(self, target: &Target, wanted: &Tree) -> Self {
        match target.files(wanted) {
            Self::Read { stamp, faults } if faults.is_empty() => Self::Read { stamp, faults },
            _ => self,
        }
    }
}
