//! Artifacts: down, unpacked, packed and up.

use crate::world::{World, image, stop, unzip, zip};
use harness::Reply;
use harness::jobs::{Action, Job, Status};

const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/k";

/// An action with artifacts `App` and `Config` in, `Out` out.
fn action() -> Action {
    Action {
        inputs: vec!["App".to_owned(), "Config".to_owned()],
        outputs: vec!["Out".to_owned()],
        ..image("Run")
    }
}

fn run(world: &World, action: Action) -> (Job, harness::Ran) {
    let action = world.jobs.start(action);
    let worker = world.plain().args(["--artifact-mib", "8"]).spawn();
    world.until_over(action);
    (world.jobs.last(action), stop(worker))
}

/// Puts an archive as `App` beside a good `Config`, and runs.
fn with_app(world: &World, app: Vec<u8>) -> (Job, harness::Ran) {
    world.jobs.put_object("App.zip", app);
    world
        .jobs
        .put_object("Config.zip", zip(&[("c.json", b"{}")]));
    run(world, action())
}

fn message(job: &Job) -> String {
    let report = job.report.as_ref().unwrap();
    report["failureDetails"]["message"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn kind(job: &Job) -> &str {
    job.report.as_ref().unwrap()["failureDetails"]["type"]
        .as_str()
        .unwrap_or_default()
}

#[test]
fn the_first_input_is_the_working_folder_and_what_lies_in_the_outputs_folder_goes_up() {
    let world = World::new();
    world.set(
        "script",
        "cat main.txt ../Config/c.json >../Out/both; mkdir ../Out/empty",
    );
    let (job, ran) = with_app(&world, zip(&[("main.txt", b"app\n"), ("sub/x", b"")]));
    assert_eq!(job.status, Status::Succeeded, "{ran}");
    assert_eq!(world.calls(), ["plain in App"]);
    let out = world.jobs.object("out/Out.zip").unwrap();
    let files = unzip(out.bytes);
    assert!(
        files.contains(&("both".to_owned(), b"app\n{}".to_vec())),
        "{files:?}"
    );
    let exports = files
        .iter()
        .find(|(name, _)| name == "exports.json")
        .unwrap();
    let exports: serde_json::Value = serde_json::from_slice(&exports.1).unwrap();
    assert_eq!(exports["AMI_ID"], "done");
    // Without a key of the pipeline it is the account's own for S3.
    assert_eq!(
        (out.encryption.as_deref(), out.key),
        (Some("aws:kms"), None)
    );
    assert!(!world.path("work/work").join(&job.id).exists());
}

#[test]
fn outputs_are_encrypted_with_the_pipelines_key() {
    let world = World::new();
    world.jobs.put_object("App.zip", zip(&[("a", b"")]));
    world.jobs.put_object("Config.zip", zip(&[("a", b"")]));
    let (job, _) = run(
        &world,
        Action {
            key: Some(KEY.to_owned()),
            ..action()
        },
    );
    assert_eq!(job.status, Status::Succeeded);
    let out = world.jobs.object("out/Out.zip").unwrap();
    assert_eq!(
        (out.encryption.as_deref(), out.key.as_deref()),
        (Some("aws:kms"), Some(KEY))
    );
}

#[test]
fn a_key_that_is_not_permitted_fails_the_job_and_names_what_was_made() {
    let world = World::new();
    world.jobs.put_object("App.zip", zip(&[("a", b"")]));
    world.jobs.put_object("Config.zip", zip(&[("a", b"")]));
    let (job, _) = run(
        &world,
        Action {
            key: Some(KEY.to_owned()),
            key_denied: true,
            ..action()
        },
    );
    assert_eq!(kind(&job), "PermissionError");
    let message = message(&job);
    assert!(
        message.contains("kms:GenerateDataKey") && message.contains("AMI_ID=done"),
        "{message}"
    );
}

#[test]
fn credentials_that_expire_while_an_upload_runs_are_renewed() {
    let world = World::new();
    let jobs = world.jobs.clone();
    world.fake.intercept(move |request| {
        // When the upload arrives, what signed it has just expired.
        if request.operation == "PutObject" && request.turn == 0 {
            jobs.expire_credentials();
        }
        harness::Fate::Served
    });
    let (job, ran) = with_app(&world, zip(&[("a", b"")]));
    assert_eq!(job.status, Status::Succeeded, "{ran}");
    ran.assert_stderr("its credentials have expired");
    assert_eq!(world.fake.requests_for("s3:PutObject").len(), 2);
    assert!(world.jobs.object("out/Out.zip").is_some());
}

#[test]
fn archives_that_would_escape_or_burst_are_refused_and_nothing_runs() {
    use std::io::Write as _;
    let options = zip::write::SimpleFileOptions::default();
    let mut link = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    link.add_symlink("out", "../../../..", options).unwrap();
    let link = link.finish().unwrap().into_inner();
    let mut bomb = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    bomb.start_file("zeros", options).unwrap();
    for _ in 0..16 {
        bomb.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let bomb = bomb.finish().unwrap().into_inner();
    assert!(bomb.len() < 1 << 20);
    for (app, says) in [
        (zip(&[("../escaped", b"x")]), "../escaped"),
        (zip(&[("/escaped", b"x")]), "/escaped"),
        (link, "symbolic link out of the folder"),
        (bomb, "unpacks to more than"),
        (b"not an archive".to_vec(), "cannot read the archive"),
    ] {
        let world = World::new();
        let (job, _) = with_app(&world, app);
        assert_eq!(kind(&job), "ConfigurationError", "{says}");
        assert!(message(&job).contains(says), "{}", message(&job));
        assert!(world.calls().is_empty(), "{says}");
        assert!(!world.path("work/escaped").exists() && !world.path("escaped").exists());
    }
}

#[test]
fn twenty_thousand_files_are_unpacked() {
    let world = World::new();
    world.set("script", "find . -type f | wc -l >../Out/count");
    let names: Vec<String> = (0..20_000).map(|n| format!("d{}/f{n}", n % 100)).collect();
    let files: Vec<(&str, &[u8])> = names
        .iter()
        .map(|name| (name.as_str(), &b"x"[..]))
        .collect();
    let (job, ran) = with_app(&world, zip(&files));
    assert_eq!(job.status, Status::Succeeded, "{ran}");
    let files = unzip(world.jobs.object("out/Out.zip").unwrap().bytes);
    let count = files.iter().find(|(name, _)| name == "count").unwrap();
    assert_eq!(String::from_utf8_lossy(&count.1).trim(), "20000");
}

#[test]
fn an_object_that_is_missing_or_not_permitted_says_so() {
    let world = World::new();
    let (job, _) = run(&world, action());
    assert!(message(&job).contains("NoSuchKey"), "{}", message(&job));
    let world = World::new();
    world.fake.on(
        "s3:GetObject",
        [Reply::error(403, "AccessDenied", "Access Denied")],
    );
    let (job, _) = run(&world, action());
    assert_eq!(kind(&job), "PermissionError");
}
