#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::pipeline::tests::{GOOD, from_template};

fn check_changed(old: &str, new: &str, expected: &str) {
    assert!(GOOD.contains(old), "the sample does not hold {old:?}");
    let pipeline = from_template(&GOOD.replace(old, new)).unwrap();
    let keys = BTreeMap::from([("AMIcreation".to_owned(), vec!["AMI_ID".to_owned()])]);
    let all: String = check(&pipeline, &keys)
        .iter()
        .map(|one| format!("{one}\n"))
        .collect();
    assert!(all.contains(expected), "{new:?}: {all}");
}

#[test]
fn a_good_pipeline_has_no_findings() {
    let pipeline = from_template(GOOD).unwrap();
    let keys = BTreeMap::from([("AMIcreation".to_owned(), vec!["AMI_ID".to_owned()])]);
    assert_eq!(check(&pipeline, &keys), []);
}

#[test]
fn references_must_be_resolvable() {
    check_changed(
        "#{AMIcreation.AMI_ID}",
        "#{AMIcreaton.AMI_ID}",
        "t.yml:37:37: Deploy/CF: #{AMIcreaton.AMI_ID}: no such namespace\n  hint: did you mean AMIcreation?",
    );
    check_changed(
        "#{AMIcreation.AMI_ID}",
        "#{AMIcreation.AMIID}",
        "#{AMIcreation.AMIID}: AMI/Bake makes no variable AMIID\n  hint: did you mean AMI_ID?",
    );
    check_changed(
        "#{AMIcreation.AMI_ID}",
        "#{AMIcreation}",
        "is not a variable",
    );
    check_changed(
        "#{AMIcreation.AMI_ID}",
        "#{App.Url}",
        "Deploy/CF makes it and does not run earlier",
    );
    check_changed(
        "#{AMIcreation.AMI_ID}",
        "#{codepipeline.Id}",
        "the only variable is PipelineExecutionId",
    );
    check_changed(
        "#{AMIcreation.AMI_ID}",
        "#{variables.X}",
        "declares no variable X",
    );
}

#[test]
fn namespaces_must_be_unique_and_free() {
    check_changed(
        "Namespace: App",
        "Namespace: AMIcreation",
        "Deploy/CF: namespace AMIcreation is already the namespace of AMI/Bake on line 27",
    );
    check_changed(
        "Namespace: App",
        "Namespace: Src",
        "is also the artifact name on line",
    );
    check_changed(
        "Namespace: App",
        "Namespace: codepipeline",
        "is reserved by CodePipeline",
    );
    check_changed("Namespace: App", "Namespace: a b", "is not 1 to 100");
}

#[test]
fn artifacts_must_be_made_earlier() {
    check_changed(
        "InputArtifacts: [{Name: Src}]",
        "InputArtifacts: [{Name: Scr}]",
        "no action makes the artifact Scr\n  hint: did you mean Src?",
    );
    check_changed(
        "OutputArtifacts: [{Name: Src}]",
        "OutputArtifacts: [{Name: S.c}]",
        "artifact name \"S.c\"",
    );
}

#[test]
fn stages_keep_their_rules() {
    check_changed(
        "Category: Source",
        "Category: Build",
        "the first stage holds only source actions",
    );
    check_changed(
        "Category: Deploy",
        "Category: Source",
        "only in the first stage",
    );
    check_changed(
        "- Name: AMI",
        "- Name: Deploy",
        "stage name Deploy stands twice",
    );
    check_changed(
        "StackName: s",
        &format!("StackName: {}", "x".repeat(1001)),
        "Deploy/CF: StackName has 1001 characters, the limit is 1000",
    );
}
