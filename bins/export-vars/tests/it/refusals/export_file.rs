//! The export file may be anything but a plain file of its own that can be replaced.

use crate::program;
use harness::Ran;
use std::path::Path;

fn export_to(path: &Path) -> Ran {
    program().arg("A=1").arg("--export-file").arg(path).run()
}

#[test]
fn links_folders_and_pipes() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target");
    std::fs::write(&target, "precious").unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&target, &link).unwrap();
    export_to(&link)
        .assert_code(2)
        .assert_stderr("link is a symbolic link; an export file must be a regular file of its own");
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "precious");
    export_to(folder.path())
        .assert_code(2)
        .assert_stderr("is a folder; an export file must be a regular file of its own");
    let pipe = folder.path().join("pipe");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    export_to(&pipe)
        .assert_code(2)
        .assert_stderr("is not a file (a fifo, socket or device)");
}

#[test]
fn one_that_is_not_ours_to_remove() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path, bits| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(bits)).unwrap();
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".exports");
    std::fs::write(&path, "export A='stale'\n").unwrap();
    // The checkout may lie where nobody but root can look.
    let program = folder.path().join("export-vars");
    std::fs::copy(env!("CARGO_BIN_EXE_export-vars"), &program).unwrap();
    mode(&program, 0o755);
    mode(folder.path(), 0o555);
    let id = std::process::Command::new("id").arg("-u").output().unwrap();
    // No permission stops root, so it acts as nobody.
    let mut command = if id.stdout == b"0\n" {
        let mut command = std::process::Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
        command.arg(&program);
        command
    } else {
        std::process::Command::new(&program)
    };
    let output = command
        .args(["A=1", "--export-file"])
        .arg(&path)
        .output()
        .unwrap();
    mode(folder.path(), 0o755);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("cannot remove the old ") && said.contains("Permission denied"),
        "{said}"
    );
}

#[test]
fn one_of_another_user() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".exports");
    std::fs::write(&path, "export A='theirs'\n").unwrap();
    // Only root can give a file away.
    if std::os::unix::fs::chown(&path, Some(65_534), None).is_err() {
        return;
    }
    export_to(&path).assert_code(2).assert_stderr(
            ".exports belongs to another user (id 65534); an export file must be a regular file of its own",
        );
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        "export A='theirs'\n"
    );
}

#[test]
fn one_to_which_a_github_step_appends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("output");
    std::fs::write(&path, "EARLIER=1\n").unwrap();
    for format in ["github", "sh"] {
        program()
                .env("GITHUB_OUTPUT", &path)
                .args(["--format", format, "A=1", "--export-file"])
                .arg(folder.path().join("../").join(folder.path().file_name().unwrap()).join("output"))
                .run()
                .assert_code(2)
                .assert_stderr("is the file that GITHUB_OUTPUT names; overwriting it would lose what the step wrote before: append to it, as in `… >> \"$GITHUB_OUTPUT\"`");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "EARLIER=1\n");
    }
}

#[test]
fn one_on_a_file_system_that_takes_no_files() {
    // The kernel's own file system is not for files of ours, root or not.
    export_to(Path::new("/proc/self/.exports"))
        .assert_code(2)
        .assert_stderr("cannot write a file in /proc/self: ");
}

#[test]
fn a_full_disk_leaves_no_partial_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".exports");
    std::fs::write(&path, "export A='stale'\n").unwrap();
    // A limit on the size of files meets the write as a full disk does.
    let output = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$@\"", "sh"])
        .args([env!("CARGO_BIN_EXE_export-vars"), "--export-file"])
        .arg(&path)
        .arg(format!("LOG={}", "x".repeat(100_000)))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("cannot write the exports") && said.contains("File too large"),
        "{said}"
    );
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        0,
        "nothing is left"
    );
}
