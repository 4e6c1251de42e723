//! Releases whose files are placed in the target folder itself.

use std::fs;
use std::os::unix::fs::symlink;

use super::host::{Target, name, source};
use crate::*;

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
