//! What lies in the store: looked at, proven, shared, removed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;
use std::sync::Arc;

use super::host::{Target, name, read, set_mode, source};
use crate::*;

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
