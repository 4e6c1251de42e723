//! `scripts/install-actions` against releases that are sound, and that are not, in every shell that
//! an image's `sh` may be, with minisign and with openssl alone.

mod refusals;
mod verification;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use harness::{Program, Ran, missing};
use tempfile::TempDir;

const TARGET: &str = "x86_64-unknown-linux-musl";
const OTHER: &str = "aarch64-unknown-linux-musl";

/// What the script may use; an image has these, or the test fails to find them.
const TOOLS: [&str; 23] = [
    "awk",
    "cat",
    "chmod",
    "cp",
    "cut",
    "gzip",
    "grep",
    "head",
    "mkdir",
    "mktemp",
    "mv",
    "od",
    "openssl",
    "paste",
    "rm",
    "sed",
    "sh",
    "sha256sum",
    "tail",
    "tar",
    "tr",
    "uname",
    "ls",
];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .into()
}

fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

fn sh(script: &str, folder: &Path) -> String {
    let output = Command::new("sh")
        .args(["-euc", script])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{script}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The shells that are here, each with its arguments.
fn shells() -> Vec<Vec<String>> {
    let all = [vec!["dash"], vec!["bash", "--posix"], vec!["busybox", "sh"]];
    let found: Vec<Vec<String>> = all
        .iter()
        .filter_map(|shell| {
            let mut words = vec![which(shell[0])?.display().to_string()];
            words.extend(shell[1..].iter().map(|word| (*word).to_owned()));
            Some(words)
        })
        .collect();
    if found.len() < all.len() {
        missing("dash, bash and busybox");
    }
    found
}

/// A release, a key, and an image to install into.
struct World {
    folder: TempDir,
    key: String,
}

impl World {
    fn new() -> Option<Self> {
        if which("minisign").is_none() {
            missing("minisign");
            return None;
        }
        let folder = TempDir::with_prefix("install").unwrap();
        let at = folder.path();
        for name in ["bin", "cache", "tools", "release/blobs"] {
            fs::create_dir_all(at.join(name)).unwrap();
        }
        for tool in TOOLS {
            let found = which(tool).unwrap_or_else(|| panic!("there is no {tool}"));
            symlink(found, at.join("tools").join(tool)).unwrap();
        }
        sh(
            "minisign -GWf -p key.pub -s key.sec >/dev/null; minisign -GWf -p other.pub -s other.sec >/dev/null",
            at,
        );
        let key = sh("sed -n 2p key.pub", at);
        Some(Self { folder, key })
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A program that runs and whose file is one of this machine; or one of the other processor.
    fn build(&self, target: &str) -> Vec<u8> {
        let mut bytes = fs::read(which("true").unwrap()).unwrap();
        assert_eq!(
            bytes[18..20],
            [0x3e, 0],
            "the test's own machine is an x86_64"
        );
        if target == OTHER {
            bytes[18] = 0xb7;
        }
        bytes
    }

    /// Adds an archive of `program` to `version`; `named` is what the release says it is for.
    fn pack(&self, program: &str, version: &str, named: &str, bytes: &[u8]) {
        let name = format!("{program}-{version}-{named}");
        let list = self.at(&format!("release/releases/{version}"));
        fs::create_dir_all(&list).unwrap();
        let inside = self.at("pack").join(&name);
        fs::create_dir_all(&inside).unwrap();
        fs::write(inside.join(program), bytes).unwrap();
        fs::set_permissions(inside.join(program), fs::Permissions::from_mode(0o755)).unwrap();
        let (list, blobs) = (
            list.display().to_string(),
            self.at("release/blobs").display().to_string(),
        );
        sh(
            &format!(
                "tar -czf {name}.tar.gz {name}; cp {name}/{program} ../program; \
                 for f in {name}.tar.gz ../program; do s=$(sha256sum $f); s=${{s%% *}}; cp $f {blobs}/$s; \
                 n={name}; case $f in *.gz) n=$f;; esac; echo \"$s  $n\" >>{list}/SHA256SUMS; done"
            ),
            &self.at("pack"),
        );
    }

    /// Signs the list of `version` with a key and a comment, and names it the latest.
    fn sign(&self, version: &str, key: &str, comment: &str) {
        sh(
            &format!(
                "minisign -S -s {key} -m release/releases/{version}/SHA256SUMS -t '{comment}' </dev/null >/dev/null; \
                 echo {version} >release/latest"
            ),
            self.folder.path(),
        );
    }

    /// A sound release with two programs for both processors.
    fn release(&self, version: &str) {
        for program in ["make-ami", "export-vars"] {
            for target in [TARGET, OTHER] {
                self.pack(program, version, target, &self.build(target));
            }
        }
        self.sign(version, "key.sec", &format!("pipeline-actions {version}"));
    }

    fn blob_of(&self, version: &str, archive: &str) -> PathBuf {
        let list =
            fs::read_to_string(self.at(&format!("release/releases/{version}/SHA256SUMS"))).unwrap();
        let line = list
            .lines()
            .find(|line| line.ends_with(&format!("  {archive}")))
            .unwrap();
        self.at("release/blobs").join(&line[..64])
    }

    fn with_minisign(&self) -> &Self {
        symlink(which("minisign").unwrap(), self.at("tools/minisign")).unwrap();
        self
    }

    fn tool(&self, name: &str, script: &str) {
        let path = self.at("tools").join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn install(&self, shell: &[String], programs: &[&str]) -> Program {
        Program::new(&shell[0])
            .bare()
            .args(&shell[1..])
            .arg(repository().join("scripts/install-actions"))
            .args(programs)
            .env("PATH", self.at("tools"))
            .env("HOME", self.folder.path())
            .env("ACTIONS_RELEASE", self.at("release"))
            .env("ACTIONS_PUBLIC_KEY", &self.key)
            .env("ACTIONS_BIN", self.at("bin"))
            .env("ACTIONS_CACHE", self.at("cache"))
    }

    fn dash(&self, programs: &[&str]) -> Program {
        self.install(&shells()[0], programs)
    }

    /// Everything in the folder for programs, half-installed ones too.
    fn installed(&self) -> Vec<String> {
        let entries = fs::read_dir(self.at("bin")).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[track_caller]
    fn refused(&self, ran: &Ran, code: i32, said: &str) {
        ran.assert_code(code).assert_stderr(said);
        assert_eq!(self.installed(), [""; 0], "something is half-installed");
    }
}

#[test]
fn a_sound_release_is_installed_once_in_every_shell_by_either_verifier() {
    for minisign in [true, false] {
        for shell in shells() {
            let Some(world) = World::new() else { return };
            world.release("1.0.0");
            world.release("1.1.0");
            if minisign {
                world.with_minisign();
            }
            let ran = world
                .install(&shell, &["make-ami", "export-vars@1.0.0"])
                .run();
            ran.assert_code(0)
                .assert_stderr("make-ami 1.1.0 is installed in")
                .assert_stderr("export-vars 1.0.0 is installed in");
            assert_eq!(ran.stdout, "");
            assert_eq!(world.installed(), ["export-vars", "make-ami"]);
            let status = Command::new(world.at("bin/make-ami")).status().unwrap();
            assert!(status.success());
            let mode = fs::metadata(world.at("bin/make-ami"))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o7777, 0o755);
            world
                .install(&shell, &["make-ami"])
                .run()
                .assert_code(0)
                .assert_stderr("make-ami 1.1.0 is in");
            // Another version takes the place of the one that is there.
            world
                .install(&shell, &["make-ami"])
                .env("ACTIONS_VERSION", "1.0.0")
                .run()
                .assert_code(0);
        }
    }
}

#[test]
fn a_warm_cache_installs_a_named_version_without_a_release_within_two_seconds() {
    let Some(world) = World::new() else { return };
    world.release("1.0.0");
    world.dash(&["make-ami@1.0.0"]).run().assert_code(0);
    fs::remove_dir_all(world.at("release")).unwrap();
    fs::create_dir(world.at("release")).unwrap();
    fs::remove_file(world.at("bin/make-ami")).unwrap();
    let started = Instant::now();
    world
        .dash(&["make-ami@1.0.0"])
        .run()
        .assert_code(0)
        .assert_stderr("is installed in");
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
    // The cache is proven on every use, too.
    for entry in fs::read_dir(world.at("cache/blobs")).unwrap() {
        fs::write(entry.unwrap().path(), "spoilt").unwrap();
    }
    fs::remove_file(world.at("bin/make-ami")).unwrap();
    world.refused(
        &world.dash(&["make-ami@1.0.0"]).run(),
        1,
        "is not what release 1.0.0 names; nothing was installed",
    );
}

#[test]
fn what_the_cache_does_not_take_is_installed_all_the_same() {
    for minisign in [true, false] {
        let Some(world) = World::new() else { return };
        world.release("1.0.0");
        if minisign {
            world.with_minisign();
        }
        // As on a full disk: the folder is there, and takes nothing.
        for name in ["cache/blobs", "cache/releases"] {
            fs::write(world.at(name), "").unwrap();
        }
        world
            .dash(&["make-ami"])
            .run()
            .assert_code(0)
            .assert_stderr("it is not kept in")
            .assert_stderr("make-ami 1.0.0 is installed in");
    }
}

#[test]
fn from_a_bucket_it_comes_by_the_aws_command_or_says_why_not() {
    let Some(world) = World::new() else { return };
    world.release("1.0.0");
    // aws s3 cp --only-show-errors FROM TO
    let release = world.at("release").display().to_string();
    world.tool(
        "aws",
        &format!("cp \"{release}/${{4#s3://bucket/programs/}}\" \"$5\""),
    );
    let from_bucket = || {
        world
            .dash(&["make-ami"])
            .env("ACTIONS_RELEASE", "s3://bucket/programs/")
    };
    from_bucket()
        .run()
        .assert_code(0)
        .assert_stderr("fetched s3://bucket/programs/blobs/");
    fs::remove_file(world.at("bin/make-ami")).unwrap();

    world.tool(
        "aws",
        "echo 'Could not connect to the endpoint URL' >&2; exit 1",
    );
    let ran = from_bucket().run();
    world.refused(&ran, 4, "cannot fetch s3://bucket/programs/latest");
    ran.assert_stderr("Could not connect to the endpoint URL");
    // Cut off in the middle: nothing of it is kept.
    world.tool("aws", "case $4 in */blobs/*) printf half >\"$5\"; exit 1 ;; esac; cp \"$RELEASE/${4#s3://bucket/programs/}\" \"$5\"");
    let ran = from_bucket()
        .env("RELEASE", &release)
        .env("ACTIONS_CACHE", world.at("fresh"))
        .run();
    world.refused(&ran, 4, "cannot fetch s3://bucket/programs/blobs/");
    assert!(!world.at("fresh/blobs").exists());
}
