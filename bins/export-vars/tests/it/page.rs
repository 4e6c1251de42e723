//! The pages say what the code says, and what the program really writes.

use crate::program;
use action::page;
use export_vars::PROGRAM;
use export_vars::{Format, Raw};
use harness::page::check_block;
use harness::{FakeAws, Reply};
use serde_json::json;
use std::collections::BTreeMap;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
const HOW_IT_WORKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/export-vars.md");

#[test]
fn page_settings_and_permissions_are_those_of_the_code() {
    check_block(PAGE, "settings", &page::settings::<Raw>(&PROGRAM));
    check_block(PAGE, "permissions", &page::permissions(&PROGRAM));
    let policy = format!("```json\n{:#}\n```\n", export_vars::policy());
    check_block(PAGE, "policy", &policy);
}

#[test]
fn page_exit_codes_of_the_promises_are_those_of_the_code() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/promises.md");
    check_block(page, "exits", &page::exits());
}

#[test]
fn page_begins_with_what_the_program_does() {
    let folder = tempfile::tempdir().unwrap();
    let ran = program()
        .dir(folder.path())
        .args(["IMAGE_TAG=v1.2", "NOTE=it's here", "--print"])
        .args(["--export-file", ".exports"])
        .run();
    ran.assert_code(0);
    let exports = std::fs::read_to_string(folder.path().join(".exports")).unwrap();
    let text = format!(
        "```console\n$ export-vars IMAGE_TAG=v1.2 \"NOTE=it's here\" --print --export-file .exports\n{}$ cat .exports\n{exports}```\n",
        ran.stderr
    );
    check_block(PAGE, "quick-start", &text);
}

/// Each format with what reads it, and the names by which its consumers want the variables.
const READ_BY: [(&str, &str, [&str; 2]); 10] = [
    (
        "sh",
        "a POSIX shell: `. \"$PWD/.exports\"` in the next buildspec item",
        ["IMAGE_TAG", "NOTE"],
    ),
    (
        "docker",
        "`docker run --env-file`, CodeBuild's local agent (`-e`)",
        ["IMAGE_TAG", "NOTE"],
    ),
    (
        "dotenv",
        "python-dotenv, Docker Compose, and a shell where a value has a spelling for all three",
        ["IMAGE_TAG", "NOTE"],
    ),
    (
        "github",
        "GitHub Actions: `export-vars --format github … >> \"$GITHUB_OUTPUT\"`; the delimiter is random",
        ["IMAGE_TAG", "NOTE"],
    ),
    (
        "gitlab",
        "GitLab: `artifacts: {reports: {dotenv: build.env}}`",
        ["IMAGE_TAG", "NOTE"],
    ),
    (
        "azure",
        "Azure Pipelines, out of the build's output",
        ["IMAGE_TAG", "NOTE"],
    ),
    (
        "json",
        "anything; `--from-manifest` of a later action",
        ["IMAGE_TAG", "NOTE"],
    ),
    (
        "template-configuration",
        "the CloudFormation action's TemplateConfiguration; `--base` is completed",
        ["ImageTag", "Note"],
    ),
    (
        "get-param",
        "the CloudFormation action: `{\"Tag\": {\"Fn::GetParam\": [\"Built\", \"exports.json\", \"IMAGE_TAG\"]}}`, past the 1 KB of ParameterOverrides",
        ["IMAGE_TAG", "NOTE"],
    ),
    (
        "job",
        "CodePipeline, as output variables of a custom action's or Lambda function's job",
        ["IMAGE_TAG", "NOTE"],
    ),
];

#[test]
fn page_examples_are_what_the_program_writes() {
    let words: Vec<&str> = Format::ALL.iter().map(|(word, _)| *word).collect();
    let described: Vec<&str> = READ_BY.iter().map(|(word, ..)| *word).collect();
    assert_eq!(words, described, "every format has its example");
    let mut examples = String::new();
    for (format, read_by, [tag, note]) in READ_BY {
        let values = [format!("{tag}=v1.2"), format!("{note}=it's here")];
        let job = "11111111-abcd-1111-abcd-111111abcdef";
        let fake = FakeAws::start();
        fake.on(
            "codepipeline:PutJobSuccessResult",
            [Reply::json(&json!({}))],
        );
        let mut program = program()
            .envs(fake.env())
            .args(["--format", format])
            .args(&values);
        let mut command = format!(
            "export-vars --format {format} {} \"{}\"",
            values[0], values[1]
        );
        if format == "job" {
            program = program.args(["--job-id", job]);
            command.push_str(" --job-id \"$JOB_ID\"");
        }
        let ran = program.run();
        ran.assert_code(0);
        let mut written = ran.stdout.clone();
        for (_, delimiter) in ran.stdout.lines().filter_map(|line| line.split_once("<<")) {
            written = written.replace(delimiter, "ghadelimiter_5f1c…");
        }
        if format == "job" {
            let body: serde_json::Value = serde_json::from_slice(&fake.requests()[0].body).unwrap();
            // The order of a map in the request is nobody's promise.
            let variables = body["outputVariables"].as_object().unwrap();
            let sorted: BTreeMap<_, _> = variables.iter().collect();
            let body = json!({"jobId": "…", "outputVariables": sorted});
            written = format!("PutJobSuccessResult {body}\n");
        }
        examples.push_str(&format!(
            "**`{format}`** is read by {read_by}.\n\n```text\n$ {command}\n{written}```\n\n"
        ));
    }
    check_block(HOW_IT_WORKS, "examples", &examples);
}

#[test]
fn page_explains_as_the_program_does() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.env");
    std::fs::write(
        &file,
        "A=plain\nB=\"x y\"\nC=x #c\nD=x;id\nDB_PASSWORD='x y'\n",
    )
    .unwrap();
    let ran = program()
        .dir(folder.path())
        .args(["explain", "app.env"])
        .run();
    ran.assert_code(0);
    let text = format!(
        "```text\n$ export-vars explain app.env\n{}```\n",
        ran.stdout
    );
    check_block(HOW_IT_WORKS, "explain", &text);
}
