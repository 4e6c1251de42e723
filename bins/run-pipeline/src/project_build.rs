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
        let outside = build_env::outside(std::env::vars_os(), self.settings.bin_dir.as_deref());
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
        runtimes::compare(&options.runtimes, &self.loaded.spec.file, &variables).await;
        let build = Build {
            spec: &self.loaded.spec,
            options,
            variables,
            stored,
            source: source.clone(),
            scratch: self.scratch.clone(),
            prefix: self.prefix.clone(),
            limit: self.project.limit,
        };
        let outcome = build.run(self.limits).await?;
        reports::tell(&options.reports, source, &self.prefix);
        if let Some(cache) = &cache
            && outcome.failed.is_none()
        {
            cache.save(source, &self.scratch, &self.prefix);
        }
        Ok(outcome)
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
