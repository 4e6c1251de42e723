//! What --fix makes of the world.

use contract::repair::{self, Mended};

use crate::{POLLS, check, lines, world, world_with};

type Files = std::collections::BTreeMap<&'static str, String>;

fn mended(files: &Files) -> Mended {
    let check = |texts: &std::collections::BTreeMap<String, String>| {
        let mut files = files.clone();
        for (name, text) in &mut files {
            if let Some(now) = texts.get(*name) {
                text.clone_from(now);
            }
        }
        Ok::<_, ()>(check(&files))
    };
    repair::mended(&check).unwrap()
}

/// The world is as it was before it was spoilt, apart from these lines.
fn assert_whole(files: &Files, changed: &[(&str, &str, &str)]) {
    let done = mended(files);
    assert_eq!(lines(&done.report), [] as [&str; 0]);
    let mut wanted = world();
    for (file, from, to) in changed {
        let text = wanted.get_mut(file).unwrap();
        assert!(text.contains(from), "{from}");
        *text = text.replace(from, to);
    }
    let mut now = files.clone();
    for (name, text) in &mut now {
        if let Some(file) = done.files.get(*name) {
            assert_eq!(&file.before, text);
            text.clone_from(&file.after);
        }
    }
    assert_eq!(now, wanted);
    // Once more changes nothing.
    assert!(mended(&now).files.is_empty());
}

#[test]
fn a_near_miss_of_a_namespace_is_renamed() {
    let files = world_with(&[("#{AMIcreation.AMI_ID}", "#{AMICreaton.AMI_ID}")]);
    assert_whole(&files, &[]);
    // An action that does not make it, and one that runs later, are not meant.
    for instead in ["#{AMICreaton.IMAGE}", "#{Ap.AMI_ID}", "#{Build.AMI_ID}"] {
        let files = world_with(&[("#{AMIcreation.AMI_ID}", instead)]);
        assert!(mended(&files).files.is_empty(), "{instead}");
    }
}

#[test]
fn what_a_buildspec_sets_is_exported() {
    let mut files = world();
    let spec = files.get_mut("buildspecs/ami.yml").unwrap();
    *spec = spec.replace("    - AMI_ID\n", "");
    let at = "    - AMI_ID\n    - INSTANCE_ID\n";
    assert_whole(
        &files,
        &[(
            "buildspecs/ami.yml",
            at,
            "    - INSTANCE_ID\n    - AMI_ID\n",
        )],
    );
    // What nothing sets is not.
    let files = world_with(&[("#{AMIcreation.AMI_ID}", "#{AMIcreation.OTHER}")]);
    assert!(mended(&files).files.is_empty());
}

#[test]
fn a_source_beside_an_event_rule_polls_no_more() {
    let (_, at) = (
        POLLS,
        "                S3Bucket: !Ref SourceBucket\n                S3ObjectKey: template.zip\n                PollForSourceChanges: 'false'\n",
    );
    let to = "                PollForSourceChanges: 'false'\n                S3Bucket: !Ref SourceBucket\n                S3ObjectKey: template.zip\n";
    assert_whole(&world_with(&[POLLS]), &[("pipeline.yml", at, to)]);
    let polls = world_with(&[(
        "PollForSourceChanges: 'false'",
        "PollForSourceChanges: true",
    )]);
    assert_whole(&polls, &[]);
}

#[test]
fn aliases_are_written_out() {
    let mut files = world();
    let app = files.get_mut("app.yml").unwrap();
    *app = app.replace(
        "Outputs:\n",
        "Metadata:\n  a: &a {x: '1'}\n  b: *a\n  c: {<<: *a}\nOutputs:\n",
    );
    let done = mended(&files);
    assert_eq!(lines(&done.report), [] as [&str; 0]);
    assert!(
        done.files["app.yml"].after.contains("  a: {x: '1'}\n"),
        "{}",
        done.files["app.yml"].after
    );
    assert!(!done.files["app.yml"].after.contains('*'));
}

#[test]
fn several_are_mended_in_one_go_and_what_is_ignored_is_left() {
    let mut files = world_with(&[POLLS, ("#{AMIcreation.AMI_ID}", "#{AMICreation.AMI_ID}")]);
    let done = mended(&files);
    assert_eq!(lines(&done.report), [] as [&str; 0]);
    assert_eq!(done.findings.len(), 2);
    let pipeline = files.get_mut("pipeline.yml").unwrap();
    let at = "                ParameterOverrides";
    let ignore = "                # pipeline-actions: ignore[P201] meant for tomorrow\n";
    *pipeline = pipeline.replace(at, &format!("{ignore}{at}"));
    let done = mended(&files);
    assert!(
        done.files["pipeline.yml"]
            .after
            .contains("#{AMICreation.AMI_ID}")
    );
}
