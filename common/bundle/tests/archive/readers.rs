//! Other programs read the archives as we do.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use bundle::manifest::{Kind, Mode};
use bundle::pack::pack;
use bundle::tree::{self, Rules};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use super::{LIMIT, read, sample};

/// A program on this machine; reports with [`harness::missing()`] when it is not.
fn reader(program: &str) -> Option<Command> {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .output()
        .unwrap();
    if !found.status.success() {
        harness::missing(program);
        return None;
    }
    Some(Command::new(program))
}

fn output(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The sample in a file, and what is in it: name, text.
fn packed() -> (tempfile::NamedTempFile, Vec<(String, Vec<u8>)>) {
    let root = sample();
    let file = tempfile::Builder::new().suffix(".zip").tempfile().unwrap();
    let manifest = read(root.path());
    fs::write(file.path(), pack(&manifest, LIMIT).unwrap()).unwrap();
    let files = manifest.entries().iter().filter_map(|entry| {
        let Kind::File { .. } = entry.kind else {
            return None;
        };
        Some((entry.path.clone(), entry.read().unwrap().into_owned()))
    });
    let files = files.collect();
    (file, files)
}

fn holds(folder: &Path, files: &[(String, Vec<u8>)]) {
    for (name, content) in files {
        assert_eq!(&fs::read(folder.join(name)).unwrap(), content, "{name}");
    }
    let run = fs::metadata(folder.join("sub/run")).unwrap();
    assert!(run.is_file());
}

#[test]
fn info_zip_agrees() {
    let Some(mut unzip) = reader("unzip") else {
        return;
    };
    let (file, files) = packed();
    let into = tempfile::tempdir().unwrap();
    unzip.args(["-q", "-d"]).arg(into.path()).arg(file.path());
    output(unzip);
    holds(into.path(), &files);
    let mode = fs::metadata(into.path().join("sub/run")).unwrap();
    assert_eq!(mode.permissions().mode() & 0o777, 0o755);
    assert_eq!(
        fs::read_link(into.path().join("sub/link")).unwrap(),
        Path::new("../template.yaml")
    );
    let mut info = reader("zipinfo").unwrap();
    info.arg(file.path());
    let listed = output(info);
    assert!(
        listed.contains("-rwxr-xr-x") && listed.contains(" unx "),
        "{listed}"
    );
    assert!(listed.contains("80-Jan-01 00:00 sub/run"), "{listed}");
}

#[test]
fn pythons_zipfile_agrees() {
    let Some(mut python) = reader("python3") else {
        return;
    };
    let (file, files) = packed();
    let script = "import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as z:
    assert z.testzip() is None
    for i in z.infolist():
        assert i.date_time == (1980, 1, 1, 0, 0, 0) and not i.extra and not i.flag_bits & 8, i
        print(i.filename, oct(i.external_attr >> 16), len(z.read(i)))
";
    python
        .args(["-c", script])
        .arg(file.path())
        .env("PYTHONIOENCODING", "utf-8");
    let listed = output(python);
    for (name, content) in &files {
        let mode = if name == "sub/run" {
            "0o100755"
        } else {
            "0o100644"
        };
        assert!(
            listed.contains(&format!("{name} {mode} {}\n", content.len())),
            "{listed}"
        );
    }
    assert!(listed.contains("sub/link 0o120755 16\n"), "{listed}");
}

/// Names and contents of any archive, by a reader that is not ours: one run of Python over many.
#[test]
fn python_reads_any_names_and_contents() {
    let Some(mut python) = reader("python3") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let trees = prop::collection::vec(
        (
            "[a-zA-Zé€ .@+_-]{1,9}(/[a-z0-9 ü]{1,5}){0,2}",
            any::<bool>(),
            prop::collection::vec(any::<u8>(), 0..500),
        ),
        1..12,
    );
    let mut expected = String::new();
    for number in 0..50 {
        let files = trees.new_tree(&mut runner).unwrap().current();
        let files = files.into_iter().map(|(name, executable, bytes)| {
            (
                name,
                if executable {
                    Mode::Executable
                } else {
                    Mode::Plain
                },
                bytes,
            )
        });
        // Names that clash are refused as a whole; there are enough trees without.
        let Ok(manifest) = tree::hold(files.collect(), &Rules::default()) else {
            continue;
        };
        let path = folder.path().join(format!("{number}.zip"));
        fs::write(&path, pack(&manifest, LIMIT).unwrap()).unwrap();
        expected.push_str(&format!("{}\n", path.display()));
        for entry in manifest.entries() {
            let Kind::File { sha256, mode, .. } = entry.kind else {
                unreachable!()
            };
            expected.push_str(&format!("{sha256} {:o} {}\n", mode.bits(), entry.path));
        }
    }
    let archives = expected.matches(".zip\n").count();
    assert!(archives > 20, "{archives} archives");
    let script = "import glob, hashlib, sys, zipfile
for path in sys.argv[1:]:
    print(path)
    with zipfile.ZipFile(path) as z:
        assert z.testzip() is None
        for i in z.infolist():
            print(hashlib.sha256(z.read(i)).hexdigest(), '%o' % (i.external_attr >> 16 & 0o777), i.filename)
";
    let paths = expected
        .lines()
        .filter(|line| line.ends_with(".zip") && line.starts_with('/'));
    python
        .args(["-c", script])
        .args(paths)
        .env("PYTHONIOENCODING", "utf-8");
    assert_eq!(output(python), expected);
}

#[test]
fn seven_zip_agrees() {
    let Some(mut seven) = reader("7z") else {
        return;
    };
    let (file, files) = packed();
    let into = tempfile::tempdir().unwrap();
    let mut test = Command::new("7z");
    test.arg("t").arg(file.path());
    assert!(output(test).contains("Everything is Ok"));
    // 7-Zip makes no link whose text holds `..`, even one that stays inside.
    seven
        .args(["x", "-y", "-xr!link"])
        .arg(format!("-o{}", into.path().display()))
        .arg(file.path());
    // 7-Zip writes no name that the locale has no characters for.
    seven.env("LC_ALL", "C.UTF-8");
    output(seven);
    holds(into.path(), &files);
}

#[test]
fn javas_jar_agrees() {
    let Some(mut jar) = reader("jar") else { return };
    let (file, files) = packed();
    let into = tempfile::tempdir().unwrap();
    jar.arg("xf").arg(file.path()).current_dir(into.path());
    // Before Java 18 file names follow the locale.
    jar.env("LC_ALL", "C.UTF-8");
    output(jar);
    holds(into.path(), &files);
}
