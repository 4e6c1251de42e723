//! The registration of an action type, from what a program says of its settings.

use crate::request::SETTINGS;
use crate::served::Served;
use crate::settings::ActionType;
use action::program::{Description, Setting};
use std::fmt::Write as _;

/// The most properties of an action type:
/// <https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_CreateCustomActionType.html>.
const MOST: usize = 10;
/// The longest description of a property, in characters:
/// <https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ActionConfigurationProperty.html>.
const DESCRIPTION: usize = 160;

/// The properties of a CloudFormation resource `AWS::CodePipeline::CustomActionType`, as YAML.
///
/// # Errors
/// A property that the program does not declare, or more than CodePipeline takes.
pub(crate) fn yaml(
    action_type: &ActionType,
    program: &Description,
    served: Option<&Served>,
) -> Result<String, String> {
    let names = served.map_or(&[][..], |served| served.properties);
    if names.len() + 1 > MOST {
        return Err(format!(
            "{} properties; CodePipeline takes {MOST}",
            names.len() + 1
        ));
    }
    let mut text = format!(
        "Type: AWS::CodePipeline::CustomActionType\nProperties:\n  Category: {}\n  Provider: {}\n  Version: '{}'\n",
        action_type.category, action_type.provider, action_type.version
    );
    text.push_str("  InputArtifactDetails: {MinimumCount: 0, MaximumCount: 5}\n");
    text.push_str("  OutputArtifactDetails: {MinimumCount: 0, MaximumCount: 5}\n");
    if let Some(link) = served
        .map(|served| served.link)
        .filter(|link| !link.is_empty())
    {
        let entity = link.split('#').next().unwrap_or(link);
        let _ = writeln!(
            text,
            "  Settings:\n    EntityUrlTemplate: !Sub {}",
            quoted(entity)
        );
        let _ = writeln!(text, "    ExecutionUrlTemplate: !Sub {}", quoted(link));
    }
    text.push_str("  ConfigurationProperties:\n");
    for name in names {
        let setting = program.setting(name);
        let setting = setting.ok_or_else(|| format!("{} has no setting {name}", program.name))?;
        property(&mut text, setting);
    }
    // What may be secret among the rest can be given as a whole; the console then hides all of it.
    let more = Setting {
        variable: SETTINGS.to_owned(),
        meaning: format!(
            "Further settings of {} as one JSON object, variables to values",
            program.name
        ),
        default: None,
        secret: program.settings.iter().any(|one| one.secret),
    };
    property(&mut text, &more);
    Ok(text)
}

/// None is a key: a key's value names an action in the console's links, where ours are named by what they make, and none
/// is required: what is needed depends on the other settings, and the program says so.
fn property(text: &mut String, setting: &Setting) {
    let _ = writeln!(
        text,
        "    - Name: {}\n      Description: {}\n      Key: false\n      Required: false\n      Secret: {}\n      Type: String",
        setting.variable,
        quoted(&shortened(&setting.meaning)),
        setting.secret
    );
}

fn shortened(text: &str) -> String {
    match text.chars().count() {
        n if n <= DESCRIPTION => text.to_owned(),
        _ => {
            let cut: String = text.chars().take(DESCRIPTION - 1).collect();
            let words = cut
                .rsplit_once(' ')
                .map_or(cut.as_str(), |(words, _)| words);
            format!("{words}…")
        }
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
