//! The buildspecs of this repository, as they stand, run as CodeBuild would run them. Where a build
//! needs what is not the subject (AWS, Docker, cargo, a scanner), small stand-ins are put on `PATH`.

mod install_script;
mod release;

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
            .args(["check", "cfn/pipeline.yml", "--parameter-file", &parameters])
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

/// The Validate stage with the real validators over the archive that `package-template.yml` packs.
#[test]
fn validation_passes_over_the_archive_and_turns_red_over_a_broken_one() {
    let build = harness::build_folder();
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
        ("cfn-lint-app", ""),
        ("cfn-lint-pipeline", ""),
        ("cfn-guard-app", "tests=\"1\" failures=\"0\""),
        ("cfn-guard-pipeline", "tests=\"1\" failures=\"0\""),
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
    for report in ["contract", "cfn-lint-app", "cfn-guard-pipeline", "checkov"] {
        assert!(
            source.join(format!("reports/{report}.xml")).is_file(),
            "{report}"
        );
    }
    let report = fs::read_to_string(source.join("reports/cfn-guard-app.xml")).unwrap();
    assert!(report.contains("metadata_needs_a_token"), "{report}");
}

/// What a checker says by its exit code alone, or leaves out, is in a report all the same.
#[test]
fn a_report_of_the_validators_says_what_their_exit_codes_say() {
    let world = World::new();
    let source = world.source();
    for name in ["app.yml", "pipeline.yml", "pipeline.json"] {
        fs::write(source.join(name), "x").unwrap();
    }
    fs::create_dir(source.join("rules")).unwrap();
    let report =
        |name: &str| fs::read_to_string(source.join(format!("reports/{name}.xml"))).unwrap();
    let failure = "<testsuites><testsuite><testcase><failure/></testcase></testsuite></testsuites>";
    let none = "<testsuites/>";
    world.stand_in("run-pipeline", "echo refused >&2; exit 2");
    // Its report is without a failure, although one file could not be read.
    world.stand_in(
        "cfn-lint",
        &format!("for file; do :; done; echo '{none}' >\"$6\"; [ \"$file\" != app.yml ] || exit 2"),
    );
    // Nothing at all for one, a finding for the other.
    world.stand_in(
        "cfn-guard",
        &format!("[ \"$3\" != app.yml ] || exit 255; echo '{failure}'; exit 19"),
    );
    // One file is left out, with exit 0.
    world.stand_in(
        "checkov",
        "echo '<testcase file=\"/pipeline.yml\"/>'; echo 'YAML ERROR in app.yml' >&2",
    );
    world
        .run("validate", &[])
        .assert_code(1)
        .assert_stderr("not fit to deploy, by: contract cfn-lint cfn-guard checkov;");
    for (name, said) in [
        ("contract", "contract ended with 2 and reported nothing"),
        ("cfn-lint-app", "cfn-lint ended with 2 and reported nothing"),
        ("cfn-lint-pipeline", none),
        (
            "cfn-guard-app",
            "cfn-guard ended with 255 and reported nothing",
        ),
        ("cfn-guard-pipeline", failure),
        ("checkov", "/pipeline.yml"),
        ("checkov-app", "checkov could not read app.yml"),
    ] {
        assert!(report(name).contains(said), "{name}: {}", report(name));
    }
    assert!(!source.join("reports/checkov-pipeline.xml").exists());
}
