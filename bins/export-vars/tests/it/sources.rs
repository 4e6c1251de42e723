//! Where values come from, and which one counts.

use crate::program;
use harness::Program;
use std::path::Path;
use tempfile::TempDir;

struct Files(TempDir);

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        Self(folder)
    }

    fn program(&self) -> Program {
        program().dir(self.0.path())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

#[test]
fn names_and_patterns_come_from_the_environment() {
    let program = || {
        program()
            .env("APP_TAG", "1")
            .env("APP_URL", "u")
            .env("OTHER", "o")
    };
    let ran = program().args(["APP_*", "OTHER"]).run();
    ran.assert_code(0)
        .assert_stdout("export APP_TAG='1'\nexport APP_URL='u'\nexport OTHER='o'\n");
    program()
        .args(["APPS_*", "OTTER"])
        .run()
        .assert_code(2)
        .assert_stderr("\"APPS_*\": matches no variable of the environment")
        .assert_stderr("OTTER: not set in the environment (did you mean OTHER?)");
}

#[test]
fn later_sources_win_and_say_so() {
    let files = Files::new(&[
        ("m.json", "{\"A\":\"1\",\"B\":\"1\",\"C\":\"1\"}"),
        ("f.env", "B=2\nC=2\n"),
    ]);
    let run = |more: &[&str]| {
        files
            .program()
            .args([
                "--from-manifest",
                "m.json",
                "--from-env-file",
                "f.env",
                "C=3",
            ])
            .args(more)
            .run()
    };
    run(&[])
        .assert_code(0)
        .assert_stdout("export A='1'\nexport B='2'\nexport C='3'\n")
        .assert_stderr(
            "f.env:1: B already set by m.json/B (line 1) to another value; the later one counts",
        )
        .assert_stderr(
            "argument 1: C already set by f.env:2 to another value; the later one counts",
        );
    run(&["--on-conflict", "refuse"])
        .assert_code(2)
        .assert_stderr("f.env:1: B already set by m.json/B (line 1) to another value");
}

#[test]
fn an_assignment_wins_over_a_name_whatever_the_order() {
    for arguments in [["APP_*", "APP_TAG=2"], ["APP_TAG=2", "APP_*"]] {
        let program = || program().env("APP_TAG", "1").args(arguments);
        program()
            .run()
            .assert_code(0)
            .assert_stdout("export APP_TAG='2'\n")
            .assert_stderr(
                "APP_TAG already set by the environment to another value; the later one counts",
            );
        program()
            .args(["--on-conflict", "refuse"])
            .run()
            .assert_code(2);
    }
}

/// What make-ami writes, in its shape.
const MANIFEST: &str = r#"{
  "image_id": "ami-0123456789abcdef0",
  "name": "app-7",
  "region": "eu-west-1",
  "snapshots": [{"id": "snap-0123abcd", "volume_bytes": 8589934592, "full_bytes": null}],
  "run": "r1",
  "tags": {"app": "rag"},
  "build": {"id": "make-ami:1", "commit": "0a1b", "pipeline": null},
  "ssm_parameter": null,
  "cost": {"usd_per_month": 0.4}
}"#;

#[test]
fn the_manifest_of_make_ami_gives_its_scalars_and_more_by_a_pointer() {
    let files = Files::new(&[("m.json", MANIFEST), ("deep.json", "{\"a\":{},\"b\":[]}")]);
    let program = || files.program().env("CODEBUILD_SRC_DIR_Ami", files.path());
    program()
        .args(["--from-manifest", "Ami::m.json", "--rename", "AMI_ID=image_id"])
        .run()
        .assert_code(0)
        .assert_stdout("export AMI_ID='ami-0123456789abcdef0'\nexport name='app-7'\nexport region='eu-west-1'\nexport run='r1'\n")
        .assert_stderr("m.json: left out snapshots, tags, build, ssm_parameter, cost (lists, objects and nulls; #/POINTER takes a value in one)");
    program()
        .args(["--from-manifest", "AMI_ID=Ami::m.json#/image_id"])
        .args(["--from-manifest", "SNAPSHOT_ID=m.json#/snapshots/0/id"])
        .args(["--from-manifest", "m.json#/build"])
        .run()
        .assert_code(0)
        .assert_stdout("export AMI_ID='ami-0123456789abcdef0'\nexport SNAPSHOT_ID='snap-0123abcd'\nexport id='make-ami:1'\nexport commit='0a1b'\n")
        .assert_stderr("m.json#/build: left out pipeline ");
    for (place, message) in [
        ("X=m.json#/snapshots", "is a list or an object"),
        (
            "X=m.json#/images",
            "there is nothing at this pointer: no \"images\"",
        ),
        (
            "deep.json",
            "deep.json holds only lists, objects and nulls; point at a value",
        ),
        ("m.json#/tags/app", "is text, not an object; give it a name"),
        ("#/a", "write FILE or ARTIFACT::FILE"),
    ] {
        program()
            .args(["--from-manifest", place])
            .run()
            .assert_code(2)
            .assert_stderr(message);
    }
}

#[test]
fn what_another_action_wrote() {
    let files = Files::new(&[
        (
            "one/exports.json",
            "{\"AMI_ID\":\"ami-0123abcd\",\"GIB\":8}",
        ),
        ("two/.exports", "export NOTE='it'\\''s\nhere'\n"),
    ]);
    let program = || {
        files
            .program()
            .env("CODEBUILD_SRC_DIR_AmiOutput", files.path().join("one"))
            .env("CODEBUILD_SRC_DIR_Notes", files.path().join("two"))
    };
    let ran = program()
        .args(["--multiline", "--from-manifest", "AmiOutput::exports.json"])
        .args(["--from-manifest", "Notes::.exports"])
        .run();
    let exports = ran.assert_code(0).exports();
    assert_eq!(exports["AMI_ID"], "ami-0123abcd");
    assert_eq!(exports["GIB"], "8");
    assert_eq!(exports["NOTE"], "it's\nhere");
    program()
        .args(["--from-manifest", "Ami::exports.json"])
        .run()
        .assert_code(2)
        .assert_stderr("Ami: CODEBUILD_SRC_DIR_Ami is not set; this build has AmiOutput, Notes");
    let files = Files::new(&[("x", "export A='1'; rm -rf nothing\n")]);
    files
        .program()
        .args(["--from-manifest", "x"])
        .run()
        .assert_code(2)
        .assert_stderr("x:1: a shell would not only set variables here, but run a command");
}

#[test]
fn yaml_and_json_by_pointer() {
    let yaml = "image:\n  id: ami-0123abcd\n  version: 1.10\n  tags: [a, b]\n  note: |\n    two\n    lines\n  ref: !Ref X\n  \"a/b~c\": odd\n  none:\n";
    let files = Files::new(&[
        ("m.yml", yaml),
        (
            "m.json",
            "{\n\t\"emoji\":\"\\ud83d\\ude00\",\n\t\"big\":123456789012345678901234567890}",
        ),
        ("del.json", "{\"del\":\"a\u{7f}b\",\"n\":[12]}"),
    ]);
    let from = |place: &str| {
        files
            .program()
            .args(["--multiline", "--from-yaml", place])
            .run()
    };
    for (place, value) in [
        ("A=m.yml#/image/id", "ami-0123abcd"),
        ("A=m.yml#/image/version", "1.10"),
        ("A=m.yml#/image/tags/1", "b"),
        ("A=m.yml#/image/note", "two\nlines\n"),
        ("A=m.yml#/image/a~1b~0c", "odd"),
        ("A=m.json#/emoji", "😀"),
        ("A=m.json#/big", "123456789012345678901234567890"),
        ("A=del.json#/del", "a\u{7f}b"),
        ("A=del.json#/n/0", "12"),
    ] {
        assert_eq!(from(place).assert_code(0).exports()["A"], value, "{place}");
    }
    for (place, message) in [
        (
            "A=m.yml#/image/ids",
            "m.yml#/image/ids: there is nothing at this pointer: no \"ids\" (did you mean id?)",
        ),
        (
            "A=m.yml#/image/tags/2",
            "there is nothing at this pointer: no \"2\"",
        ),
        (
            "A=m.yml#/image/tags",
            "is a list or an object; point at one of its values",
        ),
        (
            "A=m.yml#/image/ref",
            "is a !Ref, which this program does not resolve",
        ),
        ("A=m.yml#/image/none", "is null"),
        ("A=no.yml#/x", "cannot read no.yml: No such file"),
        ("A=m.yml#x", "write NAME=FILE#/POINTER or FILE#/POINTER"),
        ("m.yml#/image/id", "is text, not an object; give it a name"),
    ] {
        from(place).assert_code(2).assert_stderr(message);
    }
    let files = Files::new(&[
        ("m.yml", "outputs:\n  A: 1\n  B: x\n"),
        ("bad.yml", "a: [\n"),
    ]);
    let ran = files
        .program()
        .args(["--from-json", "m.yml#/outputs"])
        .run();
    ran.assert_code(0)
        .assert_stdout("export A='1'\nexport B='x'\n");
    files
        .program()
        .args(["--from-json", "A=bad.yml#/a"])
        .run()
        .assert_code(2)
        .assert_stderr("bad.yml:");
}

#[test]
fn renamed_made_of_others_and_chosen() {
    let program = || program().env("AMI_ID", "ami-0123abcd").env("TAG", "v1");
    program()
        .args(["AMI_ID", "TAG", "--rename", "IMAGE=AMI_ID"])
        .args([
            "--template",
            "NAME=app-{TAG}-{IMAGE}{{}}",
            "--only",
            "I*",
            "--only",
            "NAME",
        ])
        .run()
        .assert_code(0)
        .assert_stdout("export IMAGE='ami-0123abcd'\nexport NAME='app-v1-ami-0123abcd{}'\n");
    program()
        .args(["AMI_ID", "TAG", "--except", "T*"])
        .run()
        .assert_stdout("export AMI_ID='ami-0123abcd'\n");
    program()
        .args([
            "AMI_ID",
            "--rename",
            "X=AMI",
            "--template",
            "Y={AMI_IDS} {",
            "--only",
            "Z",
        ])
        .run()
        .assert_code(2)
        .assert_stderr("--rename X=AMI: no source gives AMI")
        .assert_stderr("--template Y: no source gives AMI_IDS (did you mean AMI_ID?)")
        .assert_stderr("--only Z: matches none of the variables");
    program()
        .args(["AMI_ID", "--template", "Y={AMI_ID"])
        .run()
        .assert_code(2)
        .assert_stderr(
            "--template Y: `{` at offset 0 is never closed; write {{ for a plain bracket",
        );
    program()
        .args(["AMI_ID", "TAG", "--rename", "TAG=AMI_ID"])
        .run()
        .assert_code(2)
        .assert_stderr("--rename TAG=AMI_ID: there is a TAG already");
}

#[test]
fn dialects_expand_what_their_readers_expand() {
    let files = Files::new(&[("f.env", "A=1\nB=${A}\nC=$HOSTED\n")]);
    let run = |dialect: &str| {
        let file = format!("{dialect}:f.env");
        let ran = files
            .program()
            .env("HOSTED", "h")
            .args(["--format", "json", "--from-env-file", &file])
            .run();
        let found: serde_json::Value = serde_json::from_str(&ran.assert_code(0).stdout).unwrap();
        (
            found["B"].as_str().unwrap().to_owned(),
            found["C"].as_str().unwrap().to_owned(),
        )
    };
    let both = |b: &str, c: &str| (b.to_owned(), c.to_owned());
    assert_eq!(run("docker"), both("${A}", "$HOSTED"));
    assert_eq!(run("compose"), both("1", "h"));
    assert_eq!(run("dotenv"), both("1", "$HOSTED"));
    assert_eq!(run("sh"), both("1", "h"));
}
