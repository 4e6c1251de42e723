#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::{Surroundings, check};
use crate::settings::{Checked, Format};
use crate::variable::Variable;
use action::settings::layers::Environment;

fn said(name: &str, value: &str, settings: &Checked) -> String {
    let variable = Variable {
        name: name.to_owned(),
        value: value.to_owned(),
        ..Variable::default()
    };
    let around = Surroundings {
        environment: &Environment::new(),
        buildspec: None,
        project: &[],
    };
    check(&[variable], settings, &around).map_or_else(
        |failure| failure.to_string(),
        |warnings| format!("fine{}", warnings.join(";")),
    )
}

#[test]
fn refuses_what_a_consumer_would_drop_or_misread() {
    let strict = Checked::default();
    for (name, value, part) in [
        ("AMI_ID", "ami-0123456789abcdef0", "fine"),
        ("NOTE", "it's $(fine) \"here\" `too`", "fine"),
        ("AMI-ID", "x", "not a shell variable name"),
        ("AWS_X", "x", "does not export names"),
        ("CODEBUILD_X", "x", "reserved by CodeBuild"),
        (
            "PATH",
            "/x",
            "would change how later commands run; use --allow-name PATH",
        ),
        ("A", "a\0b", "NUL byte at offset 1"),
        ("A", "", "is empty"),
        ("A", "one\ntwo", "line 1 ends in a line break"),
        (
            "A",
            "#{Src.CommitId}",
            "\"#{Src.CommitId}\" was never resolved",
        ),
        ("AMI_ID", "ami-12", "\"ami-12\" is not an AMI id"),
        ("AMI_ID", "hunter2", "a value of 7 bytes is not an AMI id"),
        ("SUBNET_ID", "subnet-x", "\"subnet-x\" is not a subnet id"),
        ("LOG", &"x".repeat(131_072), "Argument list too long"),
    ] {
        let said = said(name, value, &strict);
        assert!(said.contains(part), "{name}: {said}");
    }
}

#[test]
fn template_parameters_have_rules_of_their_own() {
    let configuration = Checked {
        format: Format::TemplateConfiguration,
        ..Checked::default()
    };
    assert_eq!(said("VPCId", "vpc-0a1b2c3d", &configuration), "fine");
    assert!(said("VPC_ID", "vpc-0a1b2c3d", &configuration).contains("letters and digits only"));
    let long = "x".repeat(4097);
    assert!(said("Note", &long, &configuration).contains("4097 bytes"));
    assert_eq!(said("Note", &long[1..], &configuration), "fine");
}

#[test]
fn what_is_allowed_is_allowed() {
    let lenient = Checked {
        multiline: true,
        allow_empty: true,
        allow_name: vec!["PATH".to_owned()],
        ..Checked::default()
    };
    assert_eq!(said("A", "", &lenient), "fine");
    assert_eq!(said("A", "one\ntwo", &lenient), "fine");
    assert_eq!(said("PATH", "/bin", &lenient), "fine");
    let docker = Checked {
        format: Format::Docker,
        ..lenient
    };
    assert!(said("A", "one\ntwo", &docker).contains("an env file cannot hold it"));
}

#[test]
fn the_sum_is_told_once() {
    let settings = Checked::default();
    let around = Surroundings {
        environment: &Environment::new(),
        buildspec: None,
        project: &[],
    };
    let variables: Vec<Variable> = (0..4)
        .map(|index| Variable {
            name: format!("V{index}"),
            value: "x".repeat(50_000 + index),
            ..Variable::default()
        })
        .collect();
    let said = check(&variables, &settings, &around)
        .unwrap_err()
        .to_string();
    assert_eq!(
        said.matches("bytes of output variables").count(),
        1,
        "{said}"
    );
    assert!(said.contains("200014 bytes of output variables; CodePipeline allows 122880 (largest: V3, 50003 bytes)"), "{said}");
}
