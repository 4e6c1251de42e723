//! Pipelines that `Fn::ForEach` makes, and several pipelines in one template.

use contract::check::{self, Archive, Definition, File, LocalPaths, Report, Subject};
use contract::evaluate::World;

use crate::{lines, world};

/// The world's template with its pipeline made by a loop over a collection.
fn looped(collection: &str, change: (&str, &str)) -> Report {
    let text = world()["pipeline.yml"].replace(change.0, change.1);
    let start = text.find("  Pipeline:\n").unwrap();
    let end = text.find("  Rule:\n").unwrap();
    let body: String = text[start..end]
        .lines()
        .skip(1)
        .map(|line| format!("    {line}\n"))
        .collect();
    let head = format!(
        "  Fn::ForEach::Pipelines:\n    - Name\n    - {collection}\n    - 'Pipeline${{Name}}':\n"
    );
    let text = format!("{}{head}{body}{}", &text[..start], &text[end..]);
    checked(&format!(
        "Transform: AWS::LanguageExtensions\n{}",
        text.replace("${Pipeline}", "Pipeline")
    ))
}

/// A check of a pipeline whose archive is not known.
fn checked(text: &str) -> Report {
    let world = World {
        lenient: true,
        ..World::default()
    };
    check::check(&Subject {
        archive: Archive {
            names: None,
            read: &|_| None,
        },
        templates: Vec::new(),
        configurations: Vec::new(),
        pipeline: Some(Definition {
            file: File {
                shown: "pipeline.yml".to_owned(),
                bytes: text.as_bytes().to_vec(),
            },
            world: &world,
            id: None,
        }),
        written: None,
        buildspecs: Vec::new(),
        local_paths: LocalPaths::Kept,
        local_files: &|_, _| None,
        aliases_written_out: false,
    })
}

const SAME: (&str, &str) = ("", "");

#[test]
fn a_loop_over_what_is_written_is_read() {
    for collection in ["[web]", "[web, api]"] {
        let clean = looped(collection, SAME);
        assert_eq!(lines(&clean), [] as [&str; 0], "{collection}");
        let wrong = looped(collection, ("#{AMIcreation.", "#{AMIcreaton."));
        let found = lines(&wrong);
        assert!(
            found.len() == 1 && found[0].contains("P201"),
            "{collection}: {found:?}"
        );
        assert_eq!(wrong.findings[0].place.unwrap().line, 41);
    }
}

#[test]
fn the_identifier_stands_for_each_item() {
    let named = (
        "StackName: app",
        "StackName: !Sub '${Name}-#{AMIcreation.${Name}}'",
    );
    let found = lines(&looped("[AMI_ID, INSTANCE_ID]", named));
    assert_eq!(found, [] as [&str; 0]);
    let by_ref = ("ActionMode: CREATE_UPDATE", "ActionMode: !Ref Name");
    let found = lines(&looped("[CREATE_UPDATE, CREATE]", by_ref));
    assert!(
        found.len() == 1 && found[0].contains("P411") && found[0].contains("\"CREATE\""),
        "{found:?}"
    );
}

#[test]
fn a_loop_over_what_is_not_known_is_not_looked_into() {
    let report = looped("!Ref SourceBucket", ("#{AMIcreation.", "#{AMIcreaton."));
    assert_eq!(lines(&report), [] as [&str; 0]);
    let unread = "the pipeline in pipeline.yml: Fn::ForEach makes it of what is not known";
    assert_eq!(report.unread, [unread]);
}

#[test]
fn settings_that_a_loop_makes_are_known_as_far_as_the_loop_is() {
    let stack = "                StackName: app\n";
    let with = |collection: &str| {
        let text = format!(
            "                Fn::ForEach::Names:\n                - Key\n                - {collection}\n                - '${{Key}}': app\n"
        );
        let pipeline = &world()["pipeline.yml"];
        lines(&checked(&format!(
            "Transform: AWS::LanguageExtensions\n{}",
            pipeline.replace(stack, &text)
        )))
    };
    assert_eq!(with("[StackName]"), [] as [&str; 0]);
    assert_eq!(with("!Ref SourceBucket"), [] as [&str; 0]);
    let found = with("[StackNme]");
    assert!(
        found.iter().any(|one| one.contains("P409"))
            && found.iter().any(|one| one.contains("P410")),
        "{found:?}"
    );
}

#[test]
fn every_pipeline_of_a_template_is_looked_at() {
    let text = &world()["pipeline.yml"];
    let start = text.find("  Pipeline:\n").unwrap();
    let end = text.find("  Rule:\n").unwrap();
    let second = text[start..end]
        .replace("  Pipeline:", "  Second:")
        .replace("#{AMIcreation.", "#{AMIcreaton.");
    let both = format!("{}{second}{}", &text[..end], &text[end..]);
    let found = lines(&checked(&both));
    assert!(found.len() == 1 && found[0].contains("P201"), "{found:?}");
}
