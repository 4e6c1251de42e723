//! Templates that CloudFormation takes, in the shapes of AWS's public samples: none of them has a finding.
//! A false alarm is as bad as a miss.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use contract::check::{self, Archive, Definition, File, LocalPaths, Report, Subject};
use contract::edit::{self, Edit, Value};
use contract::evaluate::World;
use contract::expand;
use contract::finding::Finding;
use contract::local;
use contract::pipeline::PIPELINE_TYPE;
use contract::rule::Severity;
use contract::rules::unfit_default;
use contract::template::Template;
use contract::yaml::{self, Content, Node, Style};

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn files(folder: &str) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = fs::read_dir(here(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file() && path.extension().is_some_and(|end| end != "md"))
        .collect();
    all.sort();
    assert!(!all.is_empty(), "{folder}");
    all
}

fn templates() -> Vec<PathBuf> {
    let mut all = files("tests/corpus");
    all.extend(files("../../cfn"));
    all
}

#[test]
fn valid_templates_have_no_findings() {
    for path in templates() {
        let found: Vec<String> = findings(&fs::read(&path).unwrap())
            .iter()
            .filter(|one| one.severity > Severity::Note)
            .map(Finding::coded)
            .collect();
        assert_eq!(found, [] as [&str; 0], "{}", path.display());
    }
}

/// CloudFormation refuses aliases; written out they are as good as any other text.
#[test]
fn aliases_alone_are_wrong_with_a_template_that_has_them() {
    let text = fs::read_to_string(here("tests/aliases.yaml")).unwrap();
    let codes: BTreeSet<&str> = findings(text.as_bytes())
        .iter()
        .map(|one| one.rule.code)
        .collect();
    assert_eq!(codes, BTreeSet::from(["Y105", "Y106"]));
    let written = expand::expanded(&text).unwrap();
    assert_eq!(findings(written.as_bytes()), []);
}

/// What is found in a template by itself.
fn findings(bytes: &[u8]) -> Vec<Finding> {
    let report = report(bytes, None);
    let unread = report.templates.is_empty() && report.count(Severity::Error) == 0;
    assert!(!unread, "neither read nor complained about");
    report.findings
}

fn report(bytes: &[u8], pipeline: Option<Definition<'_>>) -> Report {
    let read = |name: &str| {
        (name == "t").then(|| File {
            shown: "t".to_owned(),
            bytes: bytes.to_vec(),
        })
    };
    check::check(&Subject {
        archive: Archive {
            names: None,
            read: &read,
        },
        templates: vec!["t".to_owned()],
        configurations: Vec::new(),
        pipeline,
        written: None,
        buildspecs: Vec::new(),
        // Local paths are fine where there is a bucket to package their files for.
        local_paths: LocalPaths::Packaged,
        local_files: &|_, _| None,
        aliases_written_out: false,
    })
}

/// What is found in a template, as a pipeline too where it has one: each rule with its severity, and how often.
fn found(bytes: &[u8]) -> String {
    let world = World {
        lenient: true,
        ..World::default()
    };
    let file = File {
        shown: "t".to_owned(),
        bytes: bytes.to_vec(),
    };
    let definition = Definition {
        file,
        world: &world,
        id: None,
    };
    let text = String::from_utf8_lossy(bytes);
    let pipeline = text.contains(PIPELINE_TYPE).then_some(definition);
    counted(report(bytes, pipeline).findings)
}

/// Each rule with its severity, and how often.
fn counted(findings: Vec<Finding>) -> String {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for one in findings {
        *counts
            .entry((one.rule.code, one.severity.word()))
            .or_default() += 1;
    }
    let words = counts
        .into_iter()
        .map(|((code, severity), count)| match count {
            1 => format!("{code} {severity}"),
            count => format!("{code} {severity} × {count}"),
        });
    words.collect::<Vec<_>>().join(", ")
}

/// What a change of a rule does to public files shows as a change of this page.
#[test]
fn the_findings_in_public_templates_are_those_of_the_page() {
    let Some(root) = public() else { return };
    let mut table = String::from("| file | findings |\n|---|---|\n");
    let mut clean = 0;
    for path in below(&root) {
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        match found(&fs::read(&path).unwrap()).as_str() {
            "" => clean += 1,
            found => table.push_str(&format!("| {name} | {found} |\n")),
        }
    }
    table.push_str(&format!("\n{clean} more files have none.\n"));
    harness::page::check_block(here("tests/public-findings.md"), "findings", &table);
}

/// The same over the packages of `public-packages.txt`, whose files are templates and buildspecs, and others that are
/// neither.
#[test]
fn the_findings_in_public_packages_are_those_of_the_page() {
    let root = harness::build_folder().join("public-packages");
    if !root.is_dir() {
        return harness::missing("the public packages");
    }
    let mut table = String::from("| file | findings |\n|---|---|\n");
    let (mut clean, mut others) = (0, 0);
    for path in below(&root) {
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        let bytes = fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let template = ["AWSTemplateFormatVersion", "Resources:", "\"Resources\":"];
        let found = if template.iter().any(|word| text.contains(word)) {
            found(&bytes)
        } else if text.contains("\nphases:") {
            counted(check::buildspec("t", &bytes).findings)
        } else {
            others += 1;
            continue;
        };
        match found.as_str() {
            "" => clean += 1,
            found => table.push_str(&format!("| {name} | {found} |\n")),
        }
    }
    table.push_str(&format!(
        "\n{clean} more files have none, and {others} are neither templates nor buildspecs.\n"
    ));
    harness::page::check_block(here("tests/public-findings.md"), "packages", &table);
}

/// Where the public templates are.
fn public() -> Option<PathBuf> {
    let root = harness::build_folder().join("public-templates/test/fixtures/templates");
    if !root.is_dir() {
        harness::missing("the public templates");
        return None;
    }
    Some(root)
}

/// Templates among the public ones that are rightly complained about, by folder and name, the rule and why: they are
/// good for what cfn-lint looks at, and CloudFormation would refuse them.
const NONE: &str = "a template declares at least one resource";
const RIGHTLY: [(&str, &str, &str); 15] = [
    ("good/core/config_cfn_lint.json", "T002", NONE),
    ("good/core/config_cfn_lint.yaml", "T002", NONE),
    ("good/core/config_only_i1002.yaml", "T002", NONE),
    ("good/core/config_only_i1003.yaml", "T002", NONE),
    ("good/core/config_parameters.yaml", "T002", NONE),
    ("good/decode/parsing.json", "T002", NONE),
    ("good/mappings/name.yaml", "T002", NONE),
    ("good/parameters/default.yaml", "T002", NONE),
    (
        "good/resources/cloudformation/stack_nested.yaml",
        "T002",
        NONE,
    ),
    (
        "good/custom/is-defined.yaml",
        "T004",
        "`Parameter` for Parameters",
    ),
    (
        "good/custom/is-defined.yaml",
        "T201",
        "the parameter stands there",
    ),
    (
        "good/functions/sub_needed.yaml",
        "T201",
        "an excerpt: three of its resources are not in it",
    ),
    (
        "good/transform/yaml_alias_serverless.yaml",
        "Y106",
        "`sam` writes aliases out before CloudFormation sees them",
    ),
    (
        "good/resources/cloudformation/sam_stacks.yaml",
        "T304",
        "SAM hands an s3:// URL on as a TemplateURL",
    ),
    (
        "good/resources/cloudformation/stacks.yaml",
        "T304",
        "https://someurl.com is not S3",
    ),
];

/// The fixtures that cfn-lint calls good, AWS's quick starts and public samples among them.
#[test]
fn public_templates_have_no_errors() {
    let root = harness::build_folder().join("public-templates/test/fixtures/templates");
    if !root.is_dir() {
        harness::missing("the public templates");
        return;
    }
    let mut count = 0;
    let mut complaints = Vec::new();
    let mut met = BTreeSet::new();
    for path in ["good", "issues", "public", "quickstart"]
        .iter()
        .flat_map(|folder| below(&root.join(folder)))
    {
        count += 1;
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        for one in findings(&fs::read(&path).unwrap()) {
            if one.severity < Severity::Error && one.rule != &unfit_default::RULE {
                continue;
            }
            let rightly = RIGHTLY
                .iter()
                .find(|(file, code, _)| *file == name && *code == one.rule.code);
            match rightly {
                Some(rightly) => drop(met.insert(rightly)),
                None => complaints.push(format!("{name}: {}", one.coded())),
            }
        }
    }
    assert!(count > 100, "{count} templates");
    assert_eq!(complaints, [] as [&str; 0]);
    assert_eq!(
        met.len(),
        RIGHTLY.len(),
        "only these are complained about: {met:#?}"
    );
}

/// The templates below a folder.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(below(&path));
        } else if path.extension().is_some_and(|end| {
            ["yaml", "yml", "json", "template"]
                .iter()
                .any(|one| end == *one)
        }) {
            all.push(path);
        }
    }
    all.sort();
    all
}

/// The values of a template that can be edited, aliases left out.
fn values<'a>(text: &str, node: &'a Node, found: &mut Vec<&'a Node>) {
    match &node.content {
        Content::Scalar(_, Style::Plain | Style::Quoted)
            if node.tag.is_none() && !text[node.place.start..].starts_with('*') =>
        {
            found.push(node);
        }
        Content::Scalar(..) => {}
        Content::Sequence(items) => items.iter().for_each(|item| values(text, item, found)),
        Content::Mapping(entries) => {
            entries
                .iter()
                .for_each(|(_, value)| values(text, value, found));
        }
    }
}

#[test]
fn an_edit_of_any_value_changes_nothing_else() {
    let new = "https://b.s3.eu-west-1.amazonaws.com/assets/0.yml";
    for path in templates() {
        let text = fs::read_to_string(&path).unwrap();
        let root = yaml::parse("t", &text).unwrap();
        let mut found = Vec::new();
        values(&text, &root, &mut found);
        found.retain(|node| node.place.end > node.place.start);
        for node in found {
            for value in [
                Value::Text(new.to_owned()),
                Value::Mapping(vec![
                    ("S3Bucket", "b".to_owned()),
                    ("S3Key", "k".to_owned()),
                ]),
            ] {
                let edit = Edit::of(node, value).unwrap();
                let done = edit::apply(&text, &[edit]).unwrap();
                let (start, end) = (node.place.start, node.place.end);
                assert_eq!(done[..start], text[..start], "{}", path.display());
                assert!(done.ends_with(&text[end..]), "{}", path.display());
                let again = yaml::parse("t", &done);
                assert!(
                    again.is_ok(),
                    "{}:{}: {again:?}",
                    path.display(),
                    node.place.line
                );
            }
        }
    }
}

#[test]
fn no_template_names_a_local_file() {
    for path in templates() {
        let bytes = fs::read(&path).unwrap();
        let template = Template::parse("t", &bytes).unwrap();
        assert_eq!(local::find(&template.root), [], "{}", path.display());
    }
}
