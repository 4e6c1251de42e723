//! What stands in the environment of the build and is no setting itself.

use action::failure::Failure;
use action::program::Context;
use action::redact::{self, SHORTEST};
use action::settings::secret::Secret;

use super::checked::{Checked, Run};
use super::compose_run::{Login, Registry};
use super::variables::Variables;

impl Checked {
    /// The same with what stands in the environment: the values of variables that Compose gets, and passwords.
    pub(crate) fn with_environment(&self, context: &Context) -> Result<Self, Failure> {
        let refused = |fault: String| Failure::refused(format!("{fault}; nothing was touched"));
        let mut own = self.clone();
        let empty = context.empty_variables();
        let value = |name: &String| {
            let is_empty = empty.contains(name);
            context.variable(name).or(is_empty.then(String::new))
        };
        let mut pairs = Vec::new();
        for name in &self.compose_variables {
            let value = value(name).ok_or_else(|| {
                refused(format!(
                    "DEPLOY_APP_COMPOSE_VARIABLE names {name}, and no such variable is set"
                ))
            })?;
            pairs.push((name.clone(), value));
        }
        for Registry {
            host,
            user,
            variable,
        } in &self.registries
        {
            let password = context.variable(variable).ok_or_else(|| {
                refused(format!(
                    "DEPLOY_APP_REGISTRY_LOGIN names {variable}, and no such variable is set"
                ))
            })?;
            if password.len() < SHORTEST {
                return Err(refused(format!(
                    "the password {variable} is too short to be hidden in logs"
                )));
            }
            let password = Secret::from(password);
            redact::hide([password.clone()]);
            own.logins.push(Login {
                host: host.clone(),
                user: user.clone(),
                password,
            });
        }
        if let Run::Compose(compose) = &mut own.run {
            compose.variables = Variables::new(pairs, &self.secrets);
        }
        Ok(own)
    }
}
