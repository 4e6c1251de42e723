//! What must not become an output variable: those are shown in plain text in the console and by
//! `ListActionExecutions`.

use crate::checks::buildspec;
use crate::checks::surroundings::Surroundings;
use crate::pattern;
use crate::settings::Checked;
use crate::variable::Variable;
use action::export::shape;
use action::failure::Failure;
use action::program::Context;
use action::settings::layers::Environment;
use action::settings::secret::Secret;

/// A secret that is shorter, in bytes, would be found where it is none; it is only compared whole.
const SHORTEST_PART: usize = 6;

/// Secrets that every build may have.
const ALWAYS: [&str; 3] = [
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "CODEBUILD_AUTH_TOKEN",
];

/// A secret of this build, with where it is from.
#[derive(Debug)]
pub struct Known {
    variable: String,
    from: String,
    value: Secret,
}

/// The secrets of this build, as far as its environment, its buildspec, its project and the settings tell.
pub(crate) fn of_build(settings: &Checked, around: &Surroundings<'_>) -> Vec<Known> {
    let source = |name: &str| {
        let spec = around.buildspec;
        let listed = |pairs: &[(String, String)]| pairs.iter().any(|(set, _)| set == name);
        if ALWAYS.contains(&name) {
            Some("a credential of this build".to_owned())
        } else if spec.is_some_and(|spec| listed(&spec.env.secrets_manager)) {
            Some("from Secrets Manager".to_owned())
        } else if spec.is_some_and(|spec| listed(&spec.env.parameter_store)) {
            Some("from Parameter Store".to_owned())
        } else if let Some((_, from)) = around.project.iter().find(|(known, _)| known == name) {
            Some(from.clone())
        } else if pattern::any(&settings.secret, name) {
            Some("named by --secret".to_owned())
        } else {
            None
        }
    };
    let found = around.environment.iter().filter_map(|(name, found)| {
        Some(Known {
            variable: name.clone(),
            from: source(name)?,
            value: Secret::from(found.value.to_str()?.to_owned()),
        })
    });
    found.collect()
}

/// The secrets of the build, for a table of anything.
pub(crate) fn of_context(settings: &Checked, context: &Context) -> Result<Vec<Known>, Failure> {
    let buildspec = buildspec::around(settings)?;
    let around = Surroundings {
        environment: &context.environment,
        buildspec: buildspec.as_ref(),
        project: &[],
    };
    Ok(of_build(settings, &around))
}

/// Patterns of `--secret` that no variable matches, so that a typo does not turn the guard off.
pub(crate) fn unmatched(settings: &Checked, environment: &Environment) -> Vec<String> {
    let alone = |given: &&String| !environment.keys().any(|name| pattern::matches(given, name));
    let alone = settings.secret.iter().filter(alone);
    alone
        .map(|given| {
            format!(
                "--secret {given}: matches no variable of the environment, so it protects nothing"
            )
        })
        .collect()
}

/// The secret that a value is, or holds.
fn found<'a>(value: &str, known: &'a [Known]) -> Option<(&'a Known, bool)> {
    known.iter().find_map(|one| {
        let secret = one.value.reveal();
        let is = value == secret;
        let holds = secret.len() >= SHORTEST_PART && value.contains(secret);
        (is || holds).then_some((one, is))
    })
}

/// Whether a value is or holds a secret of this build, and so is not for every eye, allowed or not.
pub(crate) fn is_in(value: &str, known: &[Known]) -> bool {
    found(value, known).is_some()
}

/// Whether a value is, holds or looks like a secret without a doubt.
pub(crate) fn value(
    variable: &Variable,
    settings: &Checked,
    known: &[Known],
) -> Result<(), String> {
    let Variable { name, value, .. } = variable;
    if settings.allow_secret.contains(name) {
        return Ok(());
    }
    let advice = format!(
        "output variables are shown in plain text (--allow-secret {name} exports it anyway)"
    );
    if let Some((secret, is)) = found(value, known) {
        let verb = if is { "is" } else { "holds" };
        return Err(format!(
            "{verb} the value of {}, {}; {advice}",
            secret.variable, secret.from
        ));
    }
    match shape::credential(value) {
        Some(kind) => Err(format!("holds {kind}; {advice}")),
        None => Ok(()),
    }
}

/// What may be a secret.
pub(crate) fn doubt(variable: &Variable, settings: &Checked) -> Option<String> {
    let Variable { name, value, .. } = variable;
    if settings.allow_secret.contains(name) || value.is_empty() {
        return None;
    }
    let why = if shape::is_random(value) {
        "its value looks drawn at random, as keys and tokens are"
    } else if shape::is_secret_name(name) {
        "its name says that it is a secret"
    } else {
        return None;
    };
    Some(format!(
        "{name}: {why}; output variables are shown in plain text (--allow-secret {name} if it is not a secret)"
    ))
}
