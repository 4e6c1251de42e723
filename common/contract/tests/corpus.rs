//! Templates that CloudFormation takes, in the shapes of AWS's public samples: none of them has a finding.
//! A false alarm is as bad as a miss.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use contract::check::{self, Archive, File, Subject};
use contract::edit::{self, Edit, Value};
use contract::finding::Severity;
use contract::local;
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
        let bytes = fs::read(&path).unwrap();
        let read = |_: &str| {
            Some(File {
                shown: path.file_name().unwrap().to_str().unwrap().to_owned(),
                bytes: bytes.clone(),
            })
        };
        let report = check::check(&Subject {
            archive: Archive {
                names: None,
                read: &read,
            },
            templates: vec!["t".to_owned()],
            configurations: Vec::new(),
            pipeline: None,
            written: None,
            buildspecs: Vec::new(),
            local_files: None,
        });
        let found: Vec<String> = report
            .findings
            .iter()
            .filter(|one| one.severity > Severity::Note)
            .map(contract::finding::Finding::coded)
            .collect();
        assert_eq!(found, [] as [&str; 0], "{}", path.display());
        assert_eq!(report.templates, ["t"], "{}", path.display());
    }
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
