//! The buildspecs of this repository, as they stand, run as CodeBuild would run them. Where a build
//! needs what is not the subject (AWS, Docker, cargo, a scanner), small stand-ins are put on `PATH`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::{Program, Ran};
use tempfile::TempDir;

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// A source with the buildspecs in it, and a folder of programs that is first on `PATH`.
struct World {
    folder: TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self {
            folder: TempDir::with_prefix("buildspecs").unwrap(),
        };
        fs::create_dir(world.bin()).unwrap();
        copy(
            &repository().join("buildspecs"),
            &world.source().join("buildspecs"),
        );
        world
    }

    fn source(&self) -> PathBuf {
        self.folder.path().join("src")
    }

    fn bin(&self) -> PathBuf {
        self.folder.path().join("bin")
    }

    /// A folder beside, as a bucket.
    fn release(&self) -> PathBuf {
        self.folder.path().join("release")
    }

    /// Puts a script on `PATH`. What it is called with goes to the file `calls`.
    fn stand_in(&self, name: &str, script: &str) {
        let calls = self.folder.path().join("calls");
        let text = format!(
            "#!/bin/sh\necho \"{name} $*\" >>'{}'\n{script}\n",
            calls.display()
        );
        let path = self.bin().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn calls(&self) -> String {
        fs::read_to_string(self.folder.path().join("calls")).unwrap_or_default()
    }

    /// Runs a buildspec over the source.
    fn run(&self, buildspec: &str, variables: &[(&str, &str)]) -> Ran {
        let env_file = self.folder.path().join("build.env");
        let lines: String = variables
            .iter()
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect();
        fs::write(&env_file, lines).unwrap();
        Program::new(env!("CARGO_BIN_EXE_run-pipeline"))
            .dir(self.source())
            .arg("buildspec")
            .arg(format!("buildspecs/{buildspec}.yml"))
            .arg("--bin-dir")
            .arg(self.bin())
            .arg("--build-env-file")
            .arg(env_file)
            .args(["--build-env-dialect", "docker"])
            .limit(std::time::Duration::from_secs(300))
            .run()
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The SHA-256 of a file, by the program that the buildspecs use too.
fn digest(path: &Path) -> String {
    let output = Command::new("sha256sum").arg(path).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.split(' ').next().unwrap().to_owned()
}

/// A program that writes exports as ours do.
fn exporter(exports: &str) -> String {
    format!("while [ \"$1\" != --export-file ]; do shift; done\nprintf '%s\\n' {exports} >\"$2\"")
}

#[test]
fn every_environments_pipeline_has_no_faults() {
    for environment in ["dev", "staging", "prod"] {
        let parameters = format!("cfn/config/pipeline-{environment}.json");
        Program::new(env!("CARGO_BIN_EXE_run-pipeline"))
            .dir(repository())
            .args(["check", "cfn/pipeline.yml", "--parameters", &parameters])
            .run()
            .assert_code(0)
            .refute_stderr("warning");
    }
}

#[test]
fn deploy_app_and_make_ami_export_what_the_pipeline_reads() {
    let world = World::new();
    world.stand_in(
        "deploy-app",
        &exporter("\"export EC2_PUBLIC_IP='10.0.0.1'\" \"export INSTANCE_ID='i-0abc1234'\" \"export RELEASE_ID='r1'\" \"export DEPLOY_CHANGED='1'\""),
    );
    let exports = world.run("deploy-app", &[]).assert_code(0).exports();
    assert_eq!(exports["RELEASE_ID"], "r1");
    assert_eq!(exports.len(), 4);
    world.stand_in(
        "make-ami",
        &exporter("\"export AMI_ID='ami-0abc1234'\" \"export AMI_NAME='n'\" \"export AMI_SNAPSHOT_IDS='snap-1'\""),
    );
    let exports = world.run("make-ami", &[]).assert_code(0).exports();
    assert_eq!(exports["AMI_ID"], "ami-0abc1234");
}

#[test]
fn a_program_that_fails_turns_the_build_red_and_exports_nothing() {
    for (buildspec, program) in [
        ("deploy-app", "deploy-app"),
        ("make-ami", "make-ami"),
        ("package-template", "package-template"),
    ] {
        let world = World::new();
        world.stand_in(program, "exit 3");
        let ran = world.run(buildspec, &[]);
        ran.assert_code(1).assert_stderr("ended with 3");
        assert_eq!(ran.stdout, "(exit 1)\n");
    }
}

#[test]
fn package_template_packs_what_the_pipeline_and_its_validation_read() {
    let world = World::new();
    world.stand_in(
        "package-template",
        &exporter("\"export TEMPLATE_VERSION_ID='v1'\""),
    );
    let variables = [
        ("CONFIG_FILE", "prod.json"),
        ("PIPELINE_CONFIG_FILE", "pipeline-prod.json"),
    ];
    world.run("package-template", &variables).assert_code(0);
    let calls = world.calls();
    for packed in [
        "cfn/app.yml",
        "prod.json=config.json",
        "cfn/pipeline.yml=pipeline.yml",
        "pipeline-prod.json=pipeline.json",
        "cfn/rules=rules",
        "buildspecs=buildspecs",
        "examples/rag-app=app",
    ] {
        assert!(calls.contains(&format!(" {packed} ")), "{packed}: {calls}");
    }
}

/// A program that is not on `PATH` is fetched, checked and run.
#[test]
fn a_missing_program_comes_from_the_release_by_its_digest() {
    let world = World::new();
    world.stand_in("make-ami", &exporter("\"export AMI_ID='ami-0abc1234'\""));
    fs::create_dir(world.release()).unwrap();
    let released = world.release().join("make-ami");
    fs::rename(world.bin().join("make-ami"), &released).unwrap();
    let bin = world.bin().display().to_string();
    let folder = world.release().display().to_string();
    let digests = format!(
        "deploy-app={},make-ami={}",
        "0".repeat(64),
        digest(&released)
    );
    let variables = [
        ("ACTIONS_BIN", bin.as_str()),
        ("ACTIONS_RELEASE", folder.as_str()),
        ("ACTIONS_DIGESTS", digests.as_str()),
    ];
    let ran = world.run("make-ami", &variables);
    ran.assert_code(0)
        .assert_stderr("install: make-ami is installed in");
    assert_eq!(ran.exports()["AMI_ID"], "ami-0abc1234");

    // Somebody else's file under the same name never runs.
    fs::remove_file(world.bin().join("make-ami")).unwrap();
    fs::write(&released, "#!/bin/sh\necho tampered\n").unwrap();
    let ran = world.run("make-ami", &variables);
    ran.assert_code(1)
        .assert_stderr("is not what ACTIONS_DIGESTS names; it was not installed")
        .refute_stderr("tampered");
    assert_eq!(fs::read_dir(world.bin()).unwrap().count(), 0);
}

/// The install script alone, in the shells that an image's `sh` may be.
#[test]
fn the_install_script_refuses_and_says_why() {
    let good = "a".repeat(64);
    let named = format!("tool={good}");
    let short = format!("tool={}", &good[1..]);
    type Case<'a> = (&'a [(&'a str, &'a str)], i32, &'a str);
    let cases: [Case<'_>; 8] = [
        (&[], 2, "cannot install tool: ACTIONS_RELEASE is not set"),
        (
            &[("ACTIONS_RELEASE", "bucket")],
            2,
            "neither s3://bucket/prefix nor a folder",
        ),
        (
            &[("ACTIONS_RELEASE", "s3://b/p")],
            2,
            "ACTIONS_DIGESTS does not name it",
        ),
        (
            &[
                ("ACTIONS_RELEASE", "s3://b/p"),
                ("ACTIONS_DIGESTS", "tools=1,tool-2=3"),
            ],
            2,
            "ACTIONS_DIGESTS does not name it",
        ),
        (
            &[
                ("ACTIONS_RELEASE", "s3://b/p"),
                ("ACTIONS_DIGESTS", "tool=ABC"),
            ],
            2,
            "not a SHA-256 in lower-case hexadecimal",
        ),
        (
            &[("ACTIONS_RELEASE", "s3://b/p"), ("ACTIONS_DIGESTS", &short)],
            2,
            "has 63 digits, a SHA-256 has 64",
        ),
        (
            &[
                ("ACTIONS_RELEASE", "s3://b/p"),
                ("ACTIONS_DIGESTS", &named),
                ("ACTIONS_BIN", "/no/such/folder"),
            ],
            2,
            "/no/such/folder is no folder",
        ),
        (
            &[("ACTIONS_RELEASE", "s3://b/p"), ("ACTIONS_DIGESTS", &named)],
            4,
            "cannot fetch s3://b/p/tool",
        ),
    ];
    for shell in shells() {
        for (variables, code, said) in cases {
            let world = World::new();
            world.stand_in("aws", "exit 1");
            install(&shell, &world, variables, &["tool"])
                .assert_code(code)
                .assert_stderr(said);
            assert_eq!(fs::read_dir(world.bin()).unwrap().count(), 1, "{said}");
        }
        let world = World::new();
        install(&shell, &world, &[], &[])
            .assert_code(2)
            .assert_stderr("usage:");
        install(&shell, &world, &[], &["../tool"])
            .assert_code(2)
            .assert_stderr("is not the name of a program");
        // What is there is not looked for.
        world.stand_in("tool", "");
        install(&shell, &world, &[], &["tool"])
            .assert_code(0)
            .assert_stderr("tool is there already");
    }
}

#[test]
fn the_install_script_fetches_with_the_aws_cli() {
    for shell in shells() {
        let world = World::new();
        // aws s3 cp --only-show-errors FROM TO
        world.stand_in("aws", "printf '#!/bin/sh\\necho I run\\n' >\"$5\"");
        let same = world.folder.path().join("same");
        fs::write(&same, "#!/bin/sh\necho I run\n").unwrap();
        let digests = format!("tool={}", digest(&same));
        let variables = [
            ("ACTIONS_RELEASE", "s3://b/p"),
            ("ACTIONS_DIGESTS", digests.as_str()),
        ];
        install(&shell, &world, &variables, &["tool"]).assert_code(0);
        assert!(
            world
                .calls()
                .contains("aws s3 cp --only-show-errors s3://b/p/blobs/")
        );
        let output = Command::new(world.bin().join("tool")).output().unwrap();
        assert_eq!(output.stdout, b"I run\n");
        // Nothing but the two programs: no half-written file.
        assert_eq!(fs::read_dir(world.bin()).unwrap().count(), 2);
    }
}

/// A published release holds a program by its content only.
#[test]
fn a_published_release_serves_and_what_is_missing_says_why_both_ways() {
    let world = World::new();
    fs::create_dir_all(world.release().join("blobs")).unwrap();
    let tool = world.release().join("tool");
    fs::write(&tool, "#!/bin/sh\n").unwrap();
    let sum = digest(&tool);
    fs::rename(&tool, world.release().join("blobs").join(&sum)).unwrap();
    let digests = format!("tool={sum}");
    let folder = world.release().display().to_string();
    let shell = ["dash"];
    let from = |release: &str| {
        let variables = [
            ("ACTIONS_RELEASE", release),
            ("ACTIONS_DIGESTS", digests.as_str()),
        ];
        install(&shell, &world, &variables, &["tool"])
    };
    world.stand_in("aws", "echo \"denied: $4\" >&2\nexit 1");
    from("s3://b/p")
        .assert_code(4)
        .assert_stderr(&format!("denied: s3://b/p/blobs/{sum}"))
        .assert_stderr("denied: s3://b/p/tool");
    from(&folder).assert_code(0).refute_stderr("No such file");
}

fn shells() -> Vec<Vec<&'static str>> {
    let all = [vec!["dash"], vec!["bash", "--posix"], vec!["busybox", "sh"]];
    let there = |shell: &Vec<&str>| {
        let found = Command::new("sh")
            .args(["-c", "command -v \"$1\"", "sh", shell[0]])
            .output();
        found.is_ok_and(|output| output.status.success())
    };
    all.into_iter().filter(there).collect()
}

fn install(shell: &[&str], world: &World, variables: &[(&str, &str)], programs: &[&str]) -> Ran {
    let path = std::env::var("PATH").unwrap();
    let which = Command::new("sh")
        .args(["-c", "command -v \"$1\"", "sh", shell[0]])
        .output()
        .unwrap();
    let program = String::from_utf8(which.stdout).unwrap();
    Program::new(program.trim())
        .args(&shell[1..])
        .arg(repository().join("buildspecs/install.sh"))
        .args(programs)
        .env("PATH", format!("{}:{path}", world.bin().display()))
        .env("ACTIONS_BIN", world.bin())
        .envs(variables.iter().copied())
        .run()
}

#[test]
fn a_scan_looks_at_every_image_before_it_turns_red() {
    let world = World::new();
    fs::create_dir(world.source().join("app")).unwrap();
    world.stand_in(
        "docker",
        "case \"$*\" in *'config --images') printf 'ollama/ollama\\nrag-app-app\\n' ;; esac",
    );
    // The image is the last word.
    world.stand_in(
        "trivy",
        "for image; do :; done\n[ \"$image\" != ollama/ollama ]",
    );
    let ran = world.run("scan", &[]);
    ran.assert_code(1)
        .assert_stderr("vulnerabilities of severity CRITICAL that have a fix, in: ollama/ollama");
    assert!(
        world.calls().contains("--no-progress rag-app-app"),
        "{}",
        world.calls()
    );
    world.stand_in("trivy", "");
    world
        .run("scan", &[("SCAN_SEVERITY", "HIGH")])
        .assert_code(0);
    assert!(
        world.calls().contains("--severity HIGH"),
        "{}",
        world.calls()
    );
}

/// The scripts of a release as stand-ins, in the order that the buildspec calls them.
const RELEASE_SCRIPTS: [&str; 10] = [
    "setup",
    "deny",
    "test",
    "build-static",
    "test-shipped",
    "measured",
    "demo",
    "check-budgets",
    "reproducible",
    "pack-release",
];

fn release_world() -> World {
    let world = World::new();
    fs::create_dir(world.source().join("scripts")).unwrap();
    for script in RELEASE_SCRIPTS {
        let does = match script {
            "build-static" => {
                "folder=build/dist/x86_64-unknown-linux-musl\nmkdir -p \"$folder\"\n\
                 printf 'aa  deploy-app\\nbb  make-ami\\n' >\"$folder/SHA256SUMS\""
            }
            "pack-release" => "[ \"$(cat \"$ACTIONS_SIGNING_KEY\")\" = the-key ]",
            _ => "",
        };
        world.stand_in(script, does);
        let there = world.source().join("scripts").join(script);
        fs::rename(world.bin().join(script), there).unwrap();
    }
    world.stand_in("cargo", "");
    world
}

const RELEASE: [(&str, &str); 2] = [
    ("ACTIONS_RELEASE", "s3://release/programs"),
    ("RELEASE_SIGNING_KEY", "the-key"),
];

#[test]
fn a_release_is_proven_packed_and_published_and_names_its_digests() {
    let world = release_world();
    let exports = world.run("release", &RELEASE).assert_code(0).exports();
    assert_eq!(exports["PROGRAM_DIGESTS"], "deploy-app=aa,make-ami=bb");
    let calls = world.calls();
    let mut names: Vec<&str> = calls
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    names.retain(|name| RELEASE_SCRIPTS.contains(name));
    names.dedup();
    assert_eq!(names, RELEASE_SCRIPTS, "{calls}");
    assert!(
        calls.lines().any(|line| line.trim() == "deny"),
        "advisories too: {calls}"
    );
    let last = calls.lines().last().unwrap();
    assert!(
        last.ends_with("release-publish -- build/release --to s3://release/programs"),
        "{last}"
    );
    assert!(!calls.contains("the-key"), "{calls}");
}

#[test]
fn a_release_that_fails_anywhere_publishes_nothing() {
    for failing in RELEASE_SCRIPTS {
        let world = release_world();
        world.stand_in(failing, "exit 101");
        let there = world.source().join("scripts").join(failing);
        fs::rename(world.bin().join(failing), there).unwrap();
        world.run("release", &RELEASE).assert_code(1);
        let calls = world.calls();
        assert!(!calls.contains("release-publish"), "{failing}: {calls}");
    }
    let world = release_world();
    world
        .run("release", &RELEASE[..1])
        .assert_code(1)
        .assert_stderr("RELEASE_SIGNING_KEY: is not set");
}

/// The Validate stage with the real validators over the archive that `package-template.yml` packs.
#[test]
fn validation_passes_over_the_archive_and_turns_red_over_a_broken_one() {
    let build = harness::moto::build_folder();
    let tools = [
        ("cfn-lint", build.join("venv/bin/cfn-lint")),
        ("cfn-guard", build.join("cargo/bin/cfn-guard")),
        ("checkov", build.join("venv-checkov/bin/checkov")),
    ];
    let world = World::new();
    for (name, path) in tools {
        let Ok(path) = path.canonicalize() else {
            return harness::missing(name);
        };
        // Not a link: Python finds its environment by the program's own place.
        world.stand_in(name, &format!("exec '{}' \"$@\"", path.display()));
    }
    let program = env!("CARGO_BIN_EXE_run-pipeline");
    world.stand_in("run-pipeline", &format!("exec '{program}' \"$@\""));
    let (cfn, source) = (repository().join("cfn"), world.source());
    for (from, to) in [
        ("app.yml", "app.yml"),
        ("pipeline.yml", "pipeline.yml"),
        ("config/prod.json", "config.json"),
        ("config/pipeline-prod.json", "pipeline.json"),
    ] {
        fs::copy(cfn.join(from), source.join(to)).unwrap();
    }
    copy(&cfn.join("rules"), &source.join("rules"));
    world.run("validate", &[]).assert_code(0);
    for (report, cases) in [
        ("contract", ""),
        ("cfn-lint", ""),
        ("cfn-guard", "tests=\"2\" failures=\"0\""),
        ("checkov", "<testcase"),
    ] {
        let text = fs::read_to_string(source.join(format!("reports/{report}.xml"))).unwrap();
        assert!(
            text.contains("<testsuites") && text.contains(cases),
            "{report}: {text}"
        );
    }
    let app = fs::read_to_string(source.join("app.yml")).unwrap();
    fs::write(
        source.join("app.yml"),
        app.replace("HttpTokens: required", "HttpTokens: optional"),
    )
    .unwrap();
    // The first checker that finds something does not keep the others from their reports.
    let config = fs::read_to_string(source.join("config.json")).unwrap();
    fs::write(
        source.join("config.json"),
        config.replace("\"Spot\"", "\"Spott\""),
    )
    .unwrap();
    fs::remove_dir_all(source.join("reports")).unwrap();
    world
        .run("validate", &[])
        .assert_code(1)
        .assert_stderr("not fit to deploy, by: contract cfn-guard");
    for report in ["contract", "cfn-lint", "cfn-guard", "checkov"] {
        assert!(
            source.join(format!("reports/{report}.xml")).is_file(),
            "{report}"
        );
    }
    let report = fs::read_to_string(source.join("reports/cfn-guard.xml")).unwrap();
    assert!(report.contains("metadata_needs_a_token"), "{report}");
}
