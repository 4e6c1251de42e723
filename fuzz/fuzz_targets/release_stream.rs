//! No stream of a release makes the side that receives it panic or write outside of its folder, and what it takes for
//! whole is what was sent.
#![no_main]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use bundle::tree::{Rules, Source};
use filesync::{Incoming, Layout, Paths, Upload, pieces::Pieces, receive, release, wanted};
use libfuzzer_sys::fuzz_target;

const RELEASE: &str = "20261123094308-0123456";

/// The streams of a small release, plain and compressed, as the client writes them.
fn streams() -> &'static [Vec<u8>; 2] {
    static STREAMS: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
    STREAMS.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path();
        std::fs::create_dir_all(at.join("part/empty")).expect("folders");
        std::fs::write(at.join("part/a"), "content").expect("a file");
        std::fs::write(at.join("b"), vec![7; 3000]).expect("a file");
        std::os::unix::fs::symlink("b", at.join("link")).expect("a link");
        let sources = bundle::tree::read(&[Source::root(at)], &Rules::default()).expect("a tree");
        let tree = wanted(&sources, &[]).expect("a tree");
        [false, true].map(|compressed| {
            let upload = Upload {
                sources: Arc::new(sources.clone()),
                wanted: Arc::new(tree.clone()),
                kept: BTreeMap::new(),
                pieces: Pieces::new(),
                current: None,
                release: RELEASE.to_owned(),
                compressed,
                only: None,
            };
            upload.send(Vec::new()).expect("a stream")
        })
    })
}

/// What lies in a folder, without what is below.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder").flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

fuzz_target!(|input: (bool, bool, u16, Vec<(u16, u8)>, &[u8])| {
    let (compressed, is_raw, cut, changes, raw) = input;
    let whole = &streams()[usize::from(compressed)];
    let mut stream = match is_raw {
        true => raw.to_vec(),
        false => whole.clone(),
    };
    for (at, byte) in changes {
        if let Some(changed) = stream.get_mut(usize::from(at)) {
            *changed = byte;
        }
    }
    // Every fourth is cut.
    if cut % 4 == 0 {
        stream.truncate(usize::from(cut / 4));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let paths = Paths {
        target: folder.path().join("app").display().to_string(),
        layout: Layout::Releases,
    };
    release::make_store(&paths).expect("a store");
    let incoming = Incoming {
        release: RELEASE.to_owned(),
        current: None,
        compressed,
        completes: false,
    };
    let received = receive(&paths, &incoming, stream.as_slice());
    assert_eq!(names(folder.path()), ["app"]);
    if stream == *whole {
        assert_eq!(received.expect("it is whole").faults, []);
    }
});
