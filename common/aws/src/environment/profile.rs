//! The selected profile, as the SDK reads it, and in which file a key of it stands.

use action::program::Context;
use aws_config::profile::{self, ProfileSet};
use aws_runtime::env_config::EnvConfigValue;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_types::os_shim_internal::{Env, Fs};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

pub(super) struct Profile {
    /// Both files, merged.
    merged: ProfileSet,
    /// The credentials file alone, whose keys win.
    credentials: ProfileSet,
    config_file: Shown,
    credentials_file: Shown,
}

/// How a file is named in messages. A path that leads nowhere may be the content of a file, keys included.
struct Shown(String);

impl Profile {
    /// Reads the files, and says what is wrong with them. The SDK itself goes on without a file that it cannot
    /// read, with a warning: with what comes next, such as the role of the instance, and so another account.
    pub(super) async fn load(context: &Context) -> (Self, Vec<String>) {
        let variables: HashMap<String, String> = context
            .environment
            .iter()
            .filter_map(|(name, found)| Some((name.clone(), found.value.to_str()?.to_owned())))
            .collect();
        let (config, credentials) = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE");
        let config_file = path(context, config, "~/.aws/config");
        let credentials_file = path(context, credentials, "~/.aws/credentials");
        let shown_config = shown(context, config, &config_file);
        let shown_credentials = shown(context, credentials, &credentials_file);
        let env = Env::from(variables);
        let mut faults = Vec::new();
        let mut there = |path: &Path, shown: &Shown| {
            let found = is_there(path, shown);
            faults.extend(found.as_ref().err().cloned());
            found.unwrap_or(false)
        };
        let mut files = EnvConfigFiles::builder();
        let mut only_credentials = None;
        let has_config = there(&config_file, &shown_config);
        if has_config {
            files = files.with_file(EnvConfigFileKind::Config, &config_file);
        }
        if there(&credentials_file, &shown_credentials) {
            files = files.with_file(EnvConfigFileKind::Credentials, &credentials_file);
            let file = EnvConfigFiles::builder();
            only_credentials =
                Some(file.with_file(EnvConfigFileKind::Credentials, &credentials_file));
        }
        let is_any = has_config || only_credentials.is_some();
        let merged = match is_any {
            true => load(&env, files.build()).await,
            false => Ok(ProfileSet::default()),
        };
        let merged = merged.unwrap_or_else(|fault| {
            faults.push(fault);
            ProfileSet::default()
        });
        let only_credentials = match only_credentials {
            Some(files) => load(&env, files.build()).await.unwrap_or_default(),
            None => ProfileSet::default(),
        };
        if let Some(name) = context.variable("AWS_PROFILE")
            && faults.is_empty()
            && name != "default"
            && merged.get_profile(&name).is_none()
        {
            faults.push(format!(
                "AWS_PROFILE: there is no such profile in {} and {}",
                shown_config.0, shown_credentials.0
            ));
        }
        let profile = Self {
            merged,
            credentials: only_credentials,
            config_file: shown_config,
            credentials_file: shown_credentials,
        };
        (profile, faults)
    }

    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.merged.get(key)
    }

    /// How to name a key.
    pub(super) fn place(&self, key: &str) -> String {
        let file = match self.credentials.get(key) {
            Some(_) => &self.credentials_file,
            None => &self.config_file,
        };
        let profile = self.merged.selected_profile();
        format!("{}: profile {profile}: {key}", file.0)
    }

    /// The endpoint that the profile's section of services has for one of them.
    pub(super) fn endpoint_of(&self, service: &str) -> Option<(String, String)> {
        let nothing = Env::from_slice(&[]);
        let value = EnvConfigValue::new()
            .profile("endpoint_url")
            .service_id(service)
            .load(&nothing, Some(&self.merged))
            .map(|(value, _)| value.into_owned())?;
        let is_own = self.merged.get("endpoint_url") != Some(value.as_str());
        is_own.then(|| {
            (
                format!("{} of {service}", self.place("endpoint_url")),
                value,
            )
        })
    }
}

fn path(context: &Context, variable: &str, default: &str) -> PathBuf {
    let text = context
        .variable(variable)
        .unwrap_or_else(|| default.to_owned());
    match (text.strip_prefix("~/"), context.variable("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => PathBuf::from(text),
    }
}

fn shown(context: &Context, variable: &str, path: &Path) -> Shown {
    let is_known = context.variable(variable).is_none() || path.symlink_metadata().is_ok();
    Shown(match is_known {
        true => path.display().to_string(),
        false => format!("the file that {variable} names"),
    })
}

async fn load(env: &Env, files: EnvConfigFiles) -> Result<ProfileSet, String> {
    profile::load(&Fs::real(), env, &files, None)
        .await
        .map_err(|error| crate::error::chain(&error).replace("\n ", ""))
}

/// Whether there is a file that the SDK can read. One that is missing is no fault: so some switch it off.
fn is_there(path: &Path, Shown(shown): &Shown) -> Result<bool, String> {
    match std::fs::read(path) {
        Ok(bytes) if std::str::from_utf8(&bytes).is_err() => Err(format!("{shown}: not UTF-8")),
        Ok(_) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(format!("cannot read {shown}: {error}")),
    }
}
