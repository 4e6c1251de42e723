//! A job API, a bucket and a program that stands in for make-ami.

use harness::jobs::{Action, Jobs};
use harness::{FakeAws, Program, Running};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What `make-ami` would say with `--describe`, as far as the jobs here need it.
const DESCRIPTION: &str = r#"{
    "name": "make-ami", "version": "0.1.0", "about": "", "prefix": "MAKE_AMI_", "commands": ["start", "wait", "clean"],
    "settings": [
        {"variable": "INSTANCE_ID", "meaning": "", "default": null, "secret": false},
        {"variable": "MAKE_AMI_RUN", "meaning": "", "default": null, "secret": false},
        {"variable": "MAKE_AMI_APP", "meaning": "", "default": null, "secret": false},
        {"variable": "MAKE_AMI_PASSWORD", "meaning": "", "default": null, "secret": true},
        {"variable": "MAKE_AMI_ON_TIMEOUT", "meaning": "", "default": "keep", "secret": false},
        {"variable": "MAKE_AMI_EXPORT_FILE", "meaning": "", "default": null, "secret": false},
        {"variable": "MAKE_AMI_TIMEOUT", "meaning": "", "default": "6h", "secret": false}
    ],
    "exports": ["AMI_ID"]
}"#;

/// It makes an "image" for each run, a file in its state folder, and adopts the one of an earlier try.
const MAKE_AMI: &str = r#"#!/bin/sh
PATH=/usr/bin:/bin
S="${0%/*}/../state"
[ "$1" = --describe ] && { cat "$S/description"; exit 0; }
printf '%s run=%s image=%s on=%s\n' "$1" "$MAKE_AMI_RUN" "$MAKE_AMI_IMAGE" "$MAKE_AMI_ON_TIMEOUT" >>"$S/calls"
env | sort >"$S/environment"
images="$S/images"
mkdir -p "$images"
case $1 in
start)
    image="$images/$MAKE_AMI_RUN"
    [ -e "$S/slow" ] && sleep "$(cat "$S/slow")"
    [ -e "$image" ] || printf 'ami-%s' "$(printf %s "$MAKE_AMI_RUN" | cksum | cut -d' ' -f1)" >"$image"
    printf "export AMI_ID='%s'\n" "$(cat "$image")" >"$MAKE_AMI_EXPORT_FILE"
    ;;
wait)
    grep -qs "^$MAKE_AMI_IMAGE\$" "$images"/* || { echo "error: there is no $MAKE_AMI_IMAGE" >&2; exit 2; }
    [ -e "$S/linger" ] && sleep "$(cat "$S/linger")"
    if [ ! -e "$S/ready" ]; then
        echo "waiting for the image: pending, 42 %" >&2
        exit 6
    fi
    [ -e "$S/fail" ] && { cat "$S/fail" >&2; exit "$(cat "$S/code")"; }
    [ -e "$S/files" ] && cp -r "$S/files/." ..
    printf "export AMI_ID='%s'\n" "$MAKE_AMI_IMAGE" >"$MAKE_AMI_EXPORT_FILE"
    [ -e "$S/more" ] && cat "$S/more" >>"$MAKE_AMI_EXPORT_FILE"
    ;;
clean)
    [ -e "$S/unclean" ] && { echo "error: not permitted" >&2; exit 3; }
    rm -f "$images/$MAKE_AMI_IMAGE"
    grep -ls "^$MAKE_AMI_IMAGE\$" "$images"/* | xargs -r rm
    ;;
esac
exit 0
"#;

/// A program that runs to its end in one job.
const PLAIN: &str = r#"#!/bin/sh
PATH=/usr/bin:/bin
S="${0%/*}/../state"
[ "$1" = --describe ] && { sed 's/make-ami/plain/; s/"MAKE_AMI_/"PLAIN_/g' "$S/description"; exit 0; }
echo "plain in $(basename "$PWD")" >>"$S/calls"
[ -e "$S/script" ] && . "$S/script"
printf "export AMI_ID='%s'\n" done >"$PLAIN_EXPORT_FILE"
"#;

/// The programs, written once: the kernel runs no file that a child of another test holds open for writing.
fn programs() -> &'static [PathBuf] {
    static WRITTEN: OnceLock<(TempDir, Vec<PathBuf>)> = OnceLock::new();
    let (_, files) = WRITTEN.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let files = [("make-ami", MAKE_AMI), ("plain", PLAIN)].map(|(name, text)| {
            let file = folder.path().join(name);
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
            file
        });
        (folder, files.into())
    });
    files
}

pub(crate) struct World {
    pub(crate) fake: FakeAws,
    pub(crate) jobs: Jobs,
    folder: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let (fake, jobs) = (FakeAws::start(), Jobs::new());
        jobs.install(&fake);
        let folder = tempfile::tempdir().unwrap();
        let world = Self { fake, jobs, folder };
        fs::create_dir_all(world.path("state")).unwrap();
        fs::create_dir_all(world.path("bin")).unwrap();
        world.set("description", DESCRIPTION);
        for (name, file) in ["make-ami", "plain"].into_iter().zip(programs()) {
            std::os::unix::fs::symlink(file, world.path("bin").join(name)).unwrap();
        }
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Sets a file of the program's state.
    pub(crate) fn set(&self, name: &str, text: &str) {
        fs::write(self.path("state").join(name), text).unwrap();
    }

    pub(crate) fn unset(&self, name: &str) {
        fs::remove_file(self.path("state").join(name)).unwrap();
    }

    /// How the program was called so far, a line each.
    pub(crate) fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("state/calls")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The images that there are.
    pub(crate) fn images(&self) -> Vec<String> {
        let Ok(files) = fs::read_dir(self.path("state/images")) else {
            return Vec::new();
        };
        let files = files.flatten();
        files
            .map(|file| fs::read_to_string(file.path()).unwrap())
            .collect()
    }

    /// A worker of the program in a work folder.
    pub(crate) fn worker_in(&self, program: &str, work: &str) -> Program {
        Program::new(env!("CARGO_BIN_EXE_job-worker"))
            .envs(self.fake.env())
            .args(["serve", "--provider", "MakeAmi", "--program", program])
            .env("JOB_WORKER_PROGRAM_DIR", self.path("bin"))
            .arg("--work-dir")
            .arg(self.path(work))
            .env("JOB_WORKER_POLL_EVERY", "50ms")
            .env("JOB_WORKER_LOOK_EVERY", "1s")
            .env("JOB_WORKER_LOOK_FOR", "1s")
            .env("JOB_WORKER_CHECK_EVERY", "200ms")
            .env("JOB_WORKER_STOP_WITHIN", "4s")
    }

    pub(crate) fn worker(&self) -> Program {
        self.worker_in("make-ami", "work")
    }

    pub(crate) fn plain(&self) -> Program {
        self.worker_in("plain", "work")
    }

    /// What `status` says of a work folder.
    pub(crate) fn status(&self, work: &str) -> serde_json::Value {
        let ran = Program::new(env!("CARGO_BIN_EXE_job-worker"))
            .args(["status", "--format", "json", "--work-dir"])
            .arg(self.path(work))
            .run();
        ran.assert_code(0);
        serde_json::from_str(&ran.stdout).unwrap()
    }

    /// Waits until something is so.
    pub(crate) fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !is_so(self) {
            assert!(
                began.elapsed() < Duration::from_secs(120),
                "{what}: {:#?}\n{:#?}\n{:#?}",
                self.jobs.all(),
                self.calls(),
                self.fake.operations()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until an action is over.
    pub(crate) fn until_over(&self, action: usize) {
        self.until("the action is over", |world| world.jobs.is_over(action));
    }
}

/// An action that images an instance.
pub(crate) fn image(name: &str) -> Action {
    Action::new(name, &[("INSTANCE_ID", "i-0123456789abcdef0")])
}

/// Stops a worker as systemd does; it must have nothing left to tell.
pub(crate) fn stop(worker: Running) -> harness::Ran {
    worker.signal(15);
    worker.finish()
}

/// An archive of these files.
pub(crate) fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    use std::io::Write as _;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// The files of an archive.
pub(crate) fn unzip(bytes: Vec<u8>) -> Vec<(String, Vec<u8>)> {
    use std::io::Read as _;
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    (0..zip.len())
        .map(|index| {
            let mut file = zip.by_index(index).unwrap();
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            (file.name().unwrap().into_owned(), bytes)
        })
        .collect()
}

pub(crate) fn exists(path: &Path) -> bool {
    path.exists()
}
