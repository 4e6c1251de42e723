//! Without a bucket: the digest and the local archive.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::world::{program, project, write};

#[test]
fn the_digest_is_of_the_content_and_needs_no_aws() {
    let folder = project();
    let digest = |more: &[&str]| {
        let ran = program(&folder)
            .bare()
            .args(["cfn/app.yml", "--print-digest"])
            .args(more)
            .run();
        ran.assert_code(0).stdout.clone()
    };
    let first = digest(&[]);
    // The record of the one entry, hashed by others' tools: see the `bundle::digest` page.
    let by_hand = std::process::Command::new("sh")
        .arg("-c")
        .arg(r#"printf '100644 %s app.yml\0' "$(sha256sum < cfn/app.yml | cut -d ' ' -f 1)" | sha256sum"#)
        .current_dir(folder.path())
        .output()
        .unwrap();
    let by_hand = String::from_utf8(by_hand.stdout).unwrap();
    assert_eq!(first.trim(), by_hand.split(' ').next().unwrap());
    write(
        folder.path(),
        "cfn/app.yml",
        &fs::read_to_string(folder.path().join("cfn/app.yml")).unwrap(),
    );
    assert_eq!(digest(&[]), first);
    assert_ne!(digest(&["app"]), first);
    let with_app = digest(&["app"]);
    fs::set_permissions(
        folder.path().join("app/run"),
        fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    assert_ne!(digest(&["app"]), with_app, "a mode is content");
}

#[test]
fn an_archive_in_a_folder_that_does_not_exist_is_refused() {
    let folder = project();
    for more in [&[][..], &["--dry-run"]] {
        program(&folder)
            .bare()
            .args(["cfn/app.yml", "--output", "nodir/out.zip"])
            .args(more)
            .run()
            .assert_code(2)
            .assert_stderr("cannot write the archive nodir/out.zip")
            .assert_stderr("nodir is not a folder");
    }
}

#[test]
fn a_local_archive_is_written_once() {
    let folder = project();
    let run = |more: &[&str]| {
        program(&folder)
            .bare()
            .args(["cfn/app.yml=t.yml", "app=.", "--output", "out.zip"])
            .args(more)
            .run()
    };
    let ran = run(&["--dry-run"]);
    ran.assert_code(0).assert_stderr("would write out.zip");
    assert!(!folder.path().join("out.zip").exists());
    let first = run(&[]);
    assert_eq!(first.assert_code(0).exports()["TEMPLATE_CHANGED"], "1");
    assert!(!first.exports().contains_key("TEMPLATE_VERSION_ID"));
    let bytes = fs::read(folder.path().join("out.zip")).unwrap();
    let mode = fs::metadata(folder.path().join("out.zip"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o044, 0o044, "as readable as any file: {mode:o}");
    assert_eq!(run(&[]).assert_code(0).exports()["TEMPLATE_CHANGED"], "0");
    assert_eq!(fs::read(folder.path().join("out.zip")).unwrap(), bytes);
    let zip = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    assert_eq!(
        zip.file_names()
            .map(|name| name.unwrap().into_owned())
            .collect::<Vec<_>>(),
        ["run", "t.yml"]
    );
}

#[test]
fn settings_come_from_variables_as_well() {
    let folder = project();
    let by_flags = program(&folder)
        .args(["cfn/app.yml", "dev.json", "app", "--print-digest"])
        .run();
    let by_variables = program(&folder)
        .env("PACKAGE_TEMPLATE_FILE", "cfn/app.yml")
        .env("PACKAGE_TEMPLATE_SOURCES", "dev.json\napp")
        .env("PACKAGE_TEMPLATE_PRINT_DIGEST", "yes")
        .run();
    assert_eq!(
        by_variables.assert_code(0).stdout,
        by_flags.assert_code(0).stdout
    );
}
