//! Two files of variables beside each other.

use crate::program;

#[test]
fn what_differs_is_shown_with_secrets_masked() {
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("old.env");
    let new = folder.path().join("new.json");
    std::fs::write(&old, "SAME=1\nGONE=x\nTAG=v1\nDB_PASSWORD=hunter2\n").unwrap();
    std::fs::write(
        &new,
        r#"{"SAME":"1","TAG":"v2","NEW":"a b","DB_PASSWORD":"hunter3"}"#,
    )
    .unwrap();
    let ran = program().arg("diff").args([&old, &new]).run();
    ran.assert_code(0)
        .assert_stderr("4 of 5 variables differ")
        .assert_stdout(
            "   variable     before         after\n\
             ~  DB_PASSWORD  *** (7 bytes)  *** (7 bytes)\n\
             -  GONE         x              absent\n\
             +  NEW          absent         `a b`\n\
             ~  TAG          v1             v2\n",
        );
    let ran = program()
        .args(["diff", "--format", "json"])
        .args([&old, &new])
        .run();
    let changes: serde_json::Value = serde_json::from_str(&ran.assert_code(0).stdout).unwrap();
    assert_eq!(changes[0]["change"], "changed");
    assert!(!ran.stdout.contains("hunter"), "{}", ran.stdout);
    let ran = program().arg("diff").args([&old, &old]).run();
    ran.assert_code(0).assert_stdout("no difference\n");
}

#[test]
fn dialects_and_export_files_compare() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let exports = path(".exports", "export A='x y'\n");
    let quoted = path("q.env", "A=\"x y\"\n");
    let run = |dialect: &str| {
        let second = format!("{dialect}:{}", quoted.display());
        program().arg("diff").arg(&exports).arg(second).run()
    };
    run("compose")
        .assert_code(0)
        .assert_stdout("no difference\n");
    run("docker")
        .assert_code(0)
        .assert_stderr("1 of 1 variables differ");
    program()
        .arg("diff")
        .arg(&exports)
        .run()
        .assert_code(2)
        .assert_stderr(
            "diff compares two files\nhint: export-vars diff [DIALECT:]OLD [DIALECT:]NEW",
        );
    program()
        .arg("diff")
        .arg(&exports)
        .arg(&quoted)
        .run()
        .assert_code(2)
        .assert_stderr("q.env:1:3: A: docker keeps quotes as part of the value");
}
