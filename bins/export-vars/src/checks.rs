//! What a consumer would drop or misread, refused before anything is written.

use crate::settings::{Checked, Format};
use crate::sources::Variable;
use action::export::Exports;
use action::failure::Failure;
use action::settings::value::is_ec2_id;

/// Checks all variables, and reports every fault at once. Values are not repeated: one may be a
/// secret.
///
/// # Errors
/// The refusal.
pub fn check(variables: &[Variable], settings: &Checked) -> Result<(), Failure> {
    let mut faults: Vec<String> = Vec::new();
    let mut exports = Exports::new();
    for variable in variables {
        if let Err(fault) = exports.add(&variable.name, &variable.value) {
            faults.push(fault.to_string());
        } else if let Err(fault) = value(variable, settings) {
            faults.push(format!("{}: {fault}", variable.name));
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    let refusal = Failure::refused("not every variable can be exported; nothing was exported");
    Err(faults.into_iter().fold(refusal, Failure::detail))
}

fn value(variable: &Variable, settings: &Checked) -> Result<(), String> {
    let Variable { name, value, .. } = variable;
    if value.is_empty() && !settings.allow_empty {
        return Err(
            "is empty; nothing downstream can use it (--allow-empty to pass it)".to_owned(),
        );
    }
    if value.contains("#{") && value.contains('}') {
        return Err(
            "holds an unresolved `#{…}`: set it on the pipeline action, not on the project"
                .to_owned(),
        );
    }
    if is_image_name(name) && !value.is_empty() && !is_ec2_id(value, "ami-") {
        return Err(format!(
            "{value:?} is not an AMI id (ami- and 8 or 17 hexadecimal digits)"
        ));
    }
    if settings.format == Format::TemplateConfiguration {
        parameter(name, value)?;
    }
    let control = value.chars().position(char::is_control);
    if let Some(offset) = control {
        let line = value.chars().take(offset).filter(|c| *c == '\n').count() + 1;
        if settings.format == Format::Docker {
            return Err(format!(
                "line {line} ends in a control character; an env file cannot hold it"
            ));
        }
        if !settings.multiline {
            return Err(format!(
                "line {line} ends in a line break or holds a control character; pass --multiline if the consumer accepts it"
            ));
        }
    }
    Ok(())
}

/// CloudFormation's own bounds for a parameter, in characters and bytes:
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>.
const MAX_PARAMETER_NAME: usize = 255;
const MAX_PARAMETER_VALUE: usize = 4096;

/// Whether CloudFormation can have a parameter of this name and value.
fn parameter(name: &str, value: &str) -> Result<(), String> {
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) || name.len() > MAX_PARAMETER_NAME {
        return Err(
            "not a template parameter's name (letters and digits only); write such as VPCId=\"$VPC_ID\""
                .to_owned(),
        );
    }
    if value.len() > MAX_PARAMETER_VALUE {
        return Err(format!(
            "{} bytes; a template parameter has at most {MAX_PARAMETER_VALUE}",
            value.len()
        ));
    }
    Ok(())
}

fn is_image_name(name: &str) -> bool {
    matches!(name, "AMI_ID" | "AMIId" | "IMAGE_ID" | "ImageId") || name.ends_with("_AMI_ID")
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::settings::{Checked, Format};
    use crate::sources::Variable;

    fn said(name: &str, value: &str, settings: &Checked) -> String {
        let variable = Variable {
            name: name.to_owned(),
            value: value.to_owned(),
            place: "a test".to_owned(),
        };
        check(&[variable], settings)
            .map_or_else(|failure| failure.to_string(), |()| "fine".to_owned())
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
            ("PATH", "/x", "would change how later commands run"),
            ("A", "a\0b", "NUL byte at offset 1"),
            ("A", "", "is empty"),
            ("A", "one\ntwo", "line 1 ends in a line break"),
            ("A", "#{Src.CommitId}", "unresolved"),
            ("AMI_ID", "ami-12", "not an AMI id"),
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
        assert!(said("VPC_ID", "x", &configuration).contains("letters and digits only"));
        let long = "x".repeat(4097);
        assert!(said("Note", &long, &configuration).contains("4097 bytes"));
        assert_eq!(said("Note", &long[1..], &configuration), "fine");
    }

    #[test]
    fn what_is_allowed_is_allowed() {
        let lenient = Checked {
            multiline: true,
            allow_empty: true,
            ..Checked::default()
        };
        assert_eq!(said("A", "", &lenient), "fine");
        assert_eq!(said("A", "one\ntwo", &lenient), "fine");
        let docker = Checked {
            format: Format::Docker,
            ..lenient
        };
        assert!(said("A", "one\ntwo", &docker).contains("an env file cannot hold it"));
    }
}
