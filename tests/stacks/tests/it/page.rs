//! The commands of the page, from an empty account to a running pipeline: all of them are shell, and
//! they run as they are written, in their order, with stand-ins for AWS, the network and the compiler.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::{FakeAws, Program, Ran, Reply};
use stacks::copy::Copy;
use stacks::stack::repository;

/// The blocks of commands of a page of `cfn/`.
fn blocks(page: &str) -> Vec<String> {
    let text = fs::read_to_string(repository().join("cfn").join(page)).unwrap();
    text.split("```sh\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn every_command_is_shell() {
    let folder = tempfile::tempdir().unwrap();
    for page in ["README.md", "TROUBLESHOOTING.md"] {
        let script = folder.path().join(page);
        fs::write(&script, format!("#!/bin/sh\n{}", blocks(page).concat())).unwrap();
        // Tags and ids hold no blanks, and some names are the reader's own.
        let ran = Command::new("shellcheck")
            .args(["--shell=sh", "--exclude=SC2086,SC2046,SC2154,SC2153"])
            .arg(&script)
            .output();
        let Ok(ran) = ran else {
            return harness::missing("shellcheck");
        };
        assert!(
            ran.status.success(),
            "{page}: {}",
            String::from_utf8_lossy(&ran.stdout)
        );
    }
}

/// `aws cloudformation deploy` refuses a larger template without a bucket.
#[test]
fn what_fits_into_no_request_goes_by_way_of_a_bucket() {
    for page in ["README.md", "TROUBLESHOOTING.md"] {
        let text = fs::read_to_string(repository().join("cfn").join(page)).unwrap();
        let commands = text.replace("\\\n", " ");
        let deployments = commands
            .lines()
            .filter(|line| line.starts_with("aws cloudformation deploy "));
        for command in deployments {
            let mut words = command.split_whitespace();
            words.find(|word| *word == "--template-file").unwrap();
            let template = repository().join(words.next().unwrap());
            let fits = fs::metadata(template).unwrap().len() <= 51_200;
            assert!(fits || command.contains(" --s3-bucket "), "{command}");
        }
    }
}

/// What AWS would answer, by what it is asked.
const AWS: &str = r#"case "$*" in
  *"OutputKey=='"*)
    key=${*##*OutputKey==\'} key=${key%%\'*}
    case $key in
      VPCId) echo vpc-0123456789abcdef0 ;;
      *Subnet*) echo subnet-0123456789abcdef0 ;;
      *BucketName) echo "bucket-$key" | tr 'A-Z' 'a-z' ;;
      InstanceId) echo i-0123456789abcdef0 ;;
      BuildSecurityGroupId) echo sg-0123456789abcdef0 ;;
      AlarmTopicArn) echo arn:aws:sns:eu-central-1:123456789012:alarms ;;
      LoadBalancerUrl) echo https://balancer.example.org:8001 ;;
      *) echo "no output $key" >&2; exit 1 ;;
    esac ;;
  'acm request-certificate '*) echo arn:aws:acm:eu-central-1:123456789012:certificate/0a1b ;;
  'ssm get-parameter '*) echo ami-0123456789abcdef0 ;;
  's3 presign '*) echo https://example.org/signed ;;
  'ssm send-command '*) [ -s command.json ] && echo command-1 ;;
  'ssm get-command-invocation '*)
    echo ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHVhY2ZiZDNjZjYyNGZhNzQxYWE2NWRkNWQ1 ;;
esac"#;

/// What the static build leaves in its folder, where the programs are stand-ins too.
const BUILD_STATIC: &str = "folder=build/dist/x86_64-unknown-linux-musl
mkdir -p \"$folder\"
for program in $(scripts/programs); do cp \"$BUILT/$program\" \"$folder/\"; done
echo sums >\"$folder/SHA256SUMS\"
echo compiler >\"$folder/RUSTC\"";

/// The root of a checkout, and a folder of stand-ins.
struct World {
    copy: Copy,
    bin: tempfile::TempDir,
    aws: FakeAws,
}

impl World {
    fn new() -> Self {
        let world = Self {
            copy: Copy::new(),
            bin: tempfile::tempdir().unwrap(),
            aws: FakeAws::start(),
        };
        let root = world.copy.path();
        fs::create_dir_all(root.join("examples/rag-app")).unwrap();
        fs::write(root.join("examples/rag-app/compose.yml"), "services: {}\n").unwrap();
        fs::create_dir(root.join("scripts")).unwrap();
        let names = "deploy-app export-vars job-worker make-ami package-template run-pipeline signal-health";
        world.script(
            &root.join("scripts/programs"),
            &format!("printf '%s\\n' {names}"),
        );
        world.script(&root.join("scripts/build-static"), BUILD_STATIC);
        world.stand_in("aws", AWS);
        world.stand_in("git", "echo v1-1-g0123456");
        // It writes a file where one is named.
        world.stand_in("curl", "case $1 in *o) echo fetched >\"$2\" ;; esac");
        world.stand_in(
            "cargo",
            "mkdir -p built/bin && echo cfn-guard >built/bin/cfn-guard",
        );
        // The program that is taken out of what was fetched.
        world.stand_in(
            "tar",
            "for last; do :; done\necho \"$last\" >\"programs/$last\"",
        );
        // What the stand-in fetches has not the digest of the page.
        world.stand_in(
            "sha256sum",
            "case $1 in --check) cat >/dev/null ;; *) exec /usr/bin/sha256sum \"$@\" ;; esac",
        );
        let aws = &world.aws;
        aws.on("s3:GetBucketVersioning", [Reply::xml(
            "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>Enabled</Status></VersioningConfiguration>",
        )]);
        aws.on("s3:HeadObject", [Reply::empty(404)]);
        aws.on_call("s3:PutObject", |request| {
            let sum = request.header("x-amz-checksum-sha256").unwrap_or_default();
            Reply::empty(200)
                .header("etag", "\"e\"")
                .header("x-amz-version-id", "v1")
                .header("x-amz-checksum-sha256", sum)
        });
        world
    }

    fn script(&self, path: &Path, does: &str) {
        fs::write(path, format!("#!/bin/sh\n{does}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Puts a script on `PATH`; what it is called with goes to the file `calls`.
    fn stand_in(&self, name: &str, does: &str) {
        let calls = self.bin.path().join("calls");
        let noted = format!("echo \"{name} $*\" >>'{}'\n{does}", calls.display());
        self.script(&self.bin.path().join(name), &noted);
    }

    fn calls(&self) -> String {
        fs::read_to_string(self.bin.path().join("calls")).unwrap()
    }

    fn run(&self, commands: &str) -> Ran {
        let path = std::env::var("PATH").unwrap();
        Program::new("/bin/sh")
            .dir(self.copy.path())
            .envs(self.aws.env())
            .env("PATH", format!("{}:{path}", self.bin.path().display()))
            .env("BUILT", built())
            .env("ACCOUNT", "123456789012")
            .args(["-euc", commands])
            .run()
    }

    fn json(&self, file: &str) -> serde_json::Value {
        let text = fs::read_to_string(self.copy.path().join(file)).unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

/// Where cargo put the programs: beside the folder of the tests, or where `ACTIONS_BIN` says.
pub(crate) fn built() -> PathBuf {
    std::env::var_os("ACTIONS_BIN").map_or_else(
        || {
            let tests = std::env::current_exe().unwrap();
            tests.parent().unwrap().parent().unwrap().to_owned()
        },
        PathBuf::from,
    )
}

#[test]
fn the_page_runs_from_its_first_command_to_its_last() {
    for environment in ["dev", "staging", "prod"] {
        let world = World::new();
        let page = blocks("README.md").concat();
        let page = page.replace("ENV=dev", &format!("ENV={environment}"));
        world.run(&page).assert_code(0).refute_stderr("warning:");
        let pipeline = &world.json(&format!("pipeline-{environment}.json"))["Parameters"];
        let digests = pipeline["ProgramDigests"].as_str().unwrap();
        let pairs: Vec<_> = digests
            .split(',')
            .filter_map(|one| one.split_once('='))
            .collect();
        let names: Vec<_> = pairs.iter().map(|(name, _)| *name).collect();
        assert_eq!(
            names,
            [
                "cfn-guard",
                "deploy-app",
                "export-vars",
                "job-worker",
                "make-ami",
                "package-template",
                "run-pipeline",
                "signal-health",
                "trivy",
            ]
        );
        assert!(pairs.iter().all(|(_, sum)| sum.len() == 64), "{digests}");
        assert_eq!(pipeline["InstanceId"], "i-0123456789abcdef0");
        let app = &world.json(&format!("app-{environment}.json"))["Parameters"];
        let certificate = "arn:aws:acm:eu-central-1:123456789012:certificate/0a1b";
        assert_eq!(app["CertificateArn"], certificate);
        let put = &world.aws.requests_for("s3:PutObject")[0];
        let place = (
            "bucket-sourcebucketname".to_owned(),
            "template.zip".to_owned(),
        );
        assert_eq!(put.bucket_and_key(), place);
        let calls = world.calls();
        assert!(calls.contains("sha256sum --check"), "{calls}");
        for stack in ["buckets", "network", "alarms", "build", "pipeline"] {
            let deployed = format!("--stack-name rag-{stack}-{environment} ");
            assert!(calls.contains(&deployed), "{stack}: {calls}");
        }
        // The bucket's own template cannot go by way of the bucket, and no other needs to.
        let by_bucket: Vec<_> = calls
            .lines()
            .filter(|call| {
                call.contains("--s3-bucket bucket-releasebucketname --s3-prefix templates")
            })
            .collect();
        assert!(
            matches!(by_bucket[..], [one] if one.contains("--template-file cfn/pipeline.yml ")),
            "{by_bucket:?}"
        );
    }
}

/// A trial has no certificate.
#[test]
fn a_trial_without_tls_runs_too() {
    let world = World::new();
    let mut page = blocks("README.md");
    let at = page
        .iter()
        .position(|one| one.starts_with("certificate="))
        .unwrap();
    "tls=PlainHttp=yes\n".clone_into(&mut page[at]);
    world.run(&page.concat()).assert_code(0);
    assert_eq!(world.json("app-dev.json")["Parameters"]["PlainHttp"], "yes");
}
