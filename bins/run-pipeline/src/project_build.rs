//! One build of a project: its environment, its cache, the phases, its reports.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use action::failure::Failure;
use action::program::Context;
use action::wait::Limits;
use contract::project::Project;

use crate::build::{Build, Loaded, Outcome};
use crate::build_env::{self, About, Layers, Value, Variable};
use crate::cache::Cache;
use crate::command_script::write_initial;
use crate::container::Container;
use crate::settings::Checked;
use crate::stores::Stores;
use crate::{reports, runtimes};

/// What is built, and with what.
pub(crate) struct ProjectBuild<'a> {
    pub(crate) loaded: &'a Loaded,
    pub(crate) project: &'a Project,
    /// The action's `EnvironmentVariables`.
    pub(crate) action: &'a [(String, Value)],
    /// The variables of a build of a batch.
    pub(crate) batch: &'a [(String, String)],
    pub(crate) about: About,
    /// An existing folder of the build's own.
    pub(crate) scratch: PathBuf,
    /// What its lines begin with.
    pub(crate) prefix: String,
    pub(crate) settings: &'a Checked,
    pub(crate) context: &'a Context,
    pub(crate) limits: &'a Limits,
}

impl ProjectBuild<'_> {
    /// The variables of the build by name, with where each comes from. Nothing is asked for.
    pub(crate) fn variables(&self) -> BTreeMap<String, Variable> {
        let mut outside = build_env::outside(std::env::vars_os(), self.settings.bin_dir.as_deref());
        if self.settings.in_container.is_some() {
            outside.retain(|name, _| build_env::enters_containers(name));
        }
        build_env::merge(
            &Layers {
                outside: &outside,
                buildspec: &self.loaded.spec.env,
                project: self.project,
                action: self.action,
                batch: self.batch,
                env_files: &self.settings.build_env,
            },
            &self.about,
        )
    }

    /// Runs it.
    pub(crate) async fn run(&self) -> Result<Outcome, Failure> {
        let merged = self.variables();
        let stored = merged.iter().filter(|(_, one)| one.value.is_stored());
        let stored: BTreeSet<String> = stored.map(|(name, _)| name.clone()).collect();
        let variables = self.resolved(merged).await?;
        let source = &self.about.source;
        let options = &self.loaded.options;
        let cache = self.cache();
        if let Some(cache) = &cache {
            cache.restore(source, &self.scratch, &self.prefix);
        }
        let container = self.container(&variables).await?;
        runtimes::compare(
            &options.runtimes,
            &self.loaded.spec.file,
            |program| match &container {
                Some(container) => {
                    let mut command = container.exec(source, None);
                    command.arg(program);
                    command
                }
                None => {
                    let mut command = std::process::Command::new(program);
                    command.env_clear().envs(&variables);
                    command
                }
            },
        )
        .await;
        let build = Build {
            spec: &self.loaded.spec,
            options,
            variables: variables.clone(),
            stored,
            source: source.clone(),
            scratch: self.scratch.clone(),
            prefix: self.prefix.clone(),
            limit: self.project.limit,
            container: container.as_ref(),
        };
        let outcome = build.run(self.limits).await;
        if let Some(container) = container {
            container.close().await;
        }
        let outcome = outcome?;
        reports::tell(&options.reports, source, &self.prefix);
        if let Some(cache) = &cache
            && outcome.failed.is_none()
        {
            cache.save(source, &self.scratch, &self.prefix);
        }
        Ok(outcome)
    }

    /// The container of the build, where it has one, with the variables for its first shell.
    async fn container(
        &self,
        variables: &BTreeMap<String, String>,
    ) -> Result<Option<Container>, Failure> {
        let Some(image) = &self.settings.in_container else {
            return Ok(None);
        };
        let bin_dir = self.settings.bin_dir.as_deref();
        write_initial(&self.scratch, variables, bin_dir).map_err(|error| {
            Failure::failed(format!("cannot prepare the build {}", self.prefix)).cause(error)
        })?;
        let secondary = self
            .about
            .secondary
            .iter()
            .map(|(_, folder)| folder.as_path());
        let mut folders = vec![self.about.source.as_path(), self.scratch.as_path()];
        folders.extend(secondary.chain(bin_dir));
        let started = Container::start(image, &folders, &self.prefix, self.limits).await;
        started.map(Some)
    }

    fn cache(&self) -> Option<Cache> {
        let paths = &self.loaded.options.cache;
        match &self.settings.cache_dir {
            Some(folder) => Cache::new(folder, &self.project.name, paths),
            None => {
                if !paths.is_empty() {
                    tracing::info!("{}: the cache is not kept without --cache-dir", self.prefix);
                }
                None
            }
        }
    }

    /// The values, those of stores fetched. All that cannot be had are named at once.
    async fn resolved(
        &self,
        merged: BTreeMap<String, Variable>,
    ) -> Result<BTreeMap<String, String>, Failure> {
        let region = self.about.region.as_str();
        let stores = Stores {
            file: &self.settings.stores,
            context: self.context,
            allow_aws: self.settings.allow_aws,
            region: (!region.is_empty()).then_some(region),
            limits: self.limits,
        };
        let mut values = BTreeMap::new();
        let mut missing = Vec::new();
        for (name, variable) in merged {
            let (found, place) = match &variable.value {
                Value::Plain(value) => (Some(value.clone()), String::new()),
                Value::Parameter(parameter) => (
                    stores.parameter(parameter).await?,
                    format!("parameter-store ({parameter})"),
                ),
                Value::Secret(secret) => (
                    stores.secret(secret).await?,
                    format!("secrets-manager ({secret})"),
                ),
            };
            match found {
                Some(value) => {
                    values.insert(name, value);
                }
                None => missing.push(format!("{name} comes from {place}")),
            }
        }
        if missing.is_empty() {
            return Ok(values);
        }
        let deed = format!("values of the build {} are not known here", self.prefix);
        let failure = Failure::refused(deed).hint(
            "give them with --store-file or --build-env-file, or let AWS be asked with --allow-aws",
        );
        Err(missing.into_iter().fold(failure, Failure::cause))
    }
}
