//! Checking every setting before anything is done.

use std::path::PathBuf;

use action::settings::Settings;
use action::settings::faults::Faults;
use action::settings::given::Given;
use bundle::tree::Exclude;
use contract::rules;
use contract::variables;

use super::again::Again;
use super::checked::{Asked, Checked};
use super::folders::{absolute, existing, source_folder};
use super::follow::Follow;
use super::local::{self, Local, Selection};
use super::pairs::pairs;
use super::{Raw, build_env};
use crate::job_programs::JobSettings;
use crate::projects;
use crate::stores::StoreFile;

impl Settings for Raw {
    type Checked = Asked;

    fn secrets() -> &'static [&'static str] {
        &["parameter", "variable"]
    }

    /// A buildspec's exports alone are for a shell; a pipeline's report is JSON.
    fn writes_data(command: Option<&str>, _format: Option<&str>) -> bool {
        command != Some("buildspec")
    }

    fn check(mut self, faults: &mut Faults) -> Option<Asked> {
        let explain = std::mem::replace(&mut self.explain, Given::Unset);
        let Some(word) = faults.optional("explain", explain) else {
            return self.job(faults).map(|job| Asked::Do(Box::new(job)));
        };
        match rules::by_word(&word) {
            Ok(rule) => Some(Asked::Explain(rule)),
            Err(fault) => {
                faults.of("explain", fault);
                None
            }
        }
    }
}

impl Raw {
    fn job(self, faults: &mut Faults) -> Option<Checked> {
        let action = match faults.command() {
            Some("replay") => faults.required("action", self.action),
            _ => faults.optional("action", self.action),
        };
        let follow = Follow {
            execution: None,
            action,
            is_started: faults.switch("start_execution", self.start_execution),
            revisions: {
                let given = faults.optional("source_revision", self.source_revision);
                pairs("source_revision", &given.unwrap_or_default(), faults)
            },
        };
        let (definition, follow) = match faults.command() {
            // The editor says what is open.
            Some("lsp") => (Some(PathBuf::new()), follow),
            Some("follow" | "replay") => {
                let execution = faults.optional("definition", self.definition);
                (Some(PathBuf::new()), follow.of(execution, faults))
            }
            _ => (faults.required("definition", self.definition), follow),
        };
        let files = faults
            .optional("parameter_file", self.parameter_file)
            .unwrap_or_default();
        let parameters = faults
            .optional("parameter", self.parameter)
            .unwrap_or_default()
            .reveal();
        let pipeline_id = faults.optional("pipeline_id", self.pipeline_id);
        let pipeline_name = match faults.command() {
            Some("follow" | "replay") => faults.required("pipeline_name", self.pipeline_name),
            _ => faults.optional("pipeline_name", self.pipeline_name),
        };
        let stack_name = faults.required("stack_name", self.stack_name);
        let account = faults.required("account", self.account);
        let selection = Selection {
            from: faults.optional("from", self.from),
            until: faults.optional("until", self.until),
            only: faults.optional("only", self.only).unwrap_or_default().0,
        };
        let given = faults
            .optional("variable", self.variable)
            .unwrap_or_default()
            .reveal();
        let env_files = faults
            .optional("build_env_file", self.build_env_file)
            .unwrap_or_default();
        let dialect = faults.required("build_env_dialect", self.build_env_dialect);
        let in_container = faults.optional("in_container", self.in_container);
        let bin_dir = faults.optional("bin_dir", self.bin_dir);
        let given_sources = faults.optional("source", self.source).unwrap_or_default();
        let artifacts = local::artifacts(self.artifact, faults);
        let stubbed = faults.optional("stub", self.stub).unwrap_or_default();
        let stubbed = pairs("stub", &stubbed, faults);
        let skipped = faults.optional("skip", self.skip).unwrap_or_default().0;
        let approved = faults
            .optional("approve", self.approve)
            .unwrap_or_default()
            .0;
        let custom = faults.optional("custom_action", self.custom_action);
        let lambda = faults.optional("lambda", self.lambda);
        let jobs = JobSettings {
            custom: pairs("custom_action", &custom.unwrap_or_default(), faults),
            lambda: pairs("lambda", &lambda.unwrap_or_default(), faults),
            worker: faults.optional("job_worker", self.job_worker),
        };
        let work_dir = faults.optional("work_dir", self.work_dir);
        let listed = faults
            .optional("archive_entry", self.archive_entry)
            .unwrap_or_default();
        let format = faults.optional("format", self.format).unwrap_or_default();
        let report_file = faults.optional("report_file", self.report_file);
        let check_config = faults.optional("check_config", self.check_config);
        let fix = faults.switch("fix", self.fix);
        if fix && faults.command() != Some("check") {
            faults.of("fix", "only the command check fixes files");
        }
        let live = faults.switch("live", self.live);
        let allow_aws = faults.switch("allow_aws", self.allow_aws);
        let mut sources = Vec::new();
        for line in &listed.0 {
            match line.parse() {
                Ok(source) => sources.push(source),
                Err(fault) => faults.of("archive_entry", fault),
            }
        }

        let listed = faults.optional("exclude", self.exclude).unwrap_or_default();
        let exclude = Exclude::new(&listed.0).unwrap_or_else(|fault| {
            faults.of("exclude", fault);
            Exclude::default()
        });
        if let Some(account) = &account
            && (account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()))
        {
            faults.of(
                "account",
                format!("{account:?} is not an account id (12 digits)"),
            );
        }
        let parameters = pairs("parameter", &parameters, faults);
        let mut variables = Vec::new();
        for (name, value) in pairs("variable", &given, faults) {
            match name.split_once('.') {
                Some((namespace, key))
                    if variables::is_name(namespace) && variables::is_name(key) =>
                {
                    variables.push((namespace.to_owned(), key.to_owned(), value));
                }
                _ => faults.of(
                    "variable",
                    "what stands before `=` is not NAMESPACE.KEY in one of them",
                ),
            }
        }
        let build_env = build_env::read(&env_files, dialect.unwrap_or_default(), faults);
        let given = faults
            .optional("project_file", self.project_file)
            .unwrap_or_default();
        let mut projects = Vec::new();
        for file in &given.0 {
            match projects::read(file) {
                Ok(more) => projects.extend(more),
                Err(fault) => faults.of("project_file", format!("{file}: {fault}")),
            }
        }
        let record_file = faults.optional("record_file", self.record_file);
        let junit_file = faults.optional("junit_file", self.junit_file);
        let again = Again::new(
            faults
                .optional("history_dir", self.history_dir)
                .and_then(|folder| absolute("history_dir", &folder, faults)),
            faults.optional("retry", self.retry),
            faults
                .optional("retry_mode", self.retry_mode)
                .unwrap_or_default(),
            faults.optional("rollback", self.rollback),
            faults.optional("rollback_to", self.rollback_to),
            selection.is_part(),
            faults,
        );
        let drawing = faults.optional("drawing", self.drawing).unwrap_or_default();
        let artifact_bucket = faults.optional("artifact_bucket", self.artifact_bucket);
        let cache_dir = faults.optional("cache_dir", self.cache_dir);
        let store_file = faults.optional("store_file", self.store_file);
        let stores = store_file.map(|file| {
            StoreFile::read(&file).unwrap_or_else(|fault| {
                faults.of("store_file", format!("{file}: {fault}"));
                StoreFile::default()
            })
        });
        let bin_dir = bin_dir.and_then(|folder| existing("bin_dir", folder, faults));
        let (source, given_sources) = if runs_a_pipeline(faults.command()) {
            (
                existing("source", PathBuf::from("."), faults),
                local::sources("source", &given_sources, faults),
            )
        } else {
            (source_folder(&given_sources, faults), Vec::new())
        };
        let local = Local {
            sources: given_sources,
            artifacts,
            stubs: local::stubs(stubbed, faults),
            skipped,
            approved,
            jobs,
        };
        Some(Checked {
            definition: definition?,
            parameter_files: action::program::paths(&files),
            parameters,
            pipeline_id,
            pipeline_name,
            stack_name: stack_name?,
            account: account?,
            selection,
            projects,
            stores: stores.unwrap_or_default(),
            cache_dir,
            artifact_bucket,
            record_file,
            junit_file,
            follow,
            again,
            drawing,
            local,
            variables,
            allow_aws,
            build_env,
            in_container,
            bin_dir,
            source: source?,
            sources,
            exclude,
            live,
            format,
            report_file,
            check_config,
            fix,
            work_dir,
        })
    }
}

/// Whether a command takes a whole pipeline, with all of its sources.
fn runs_a_pipeline(command: Option<&str>) -> bool {
    !matches!(command, Some("buildspec" | "check" | "lsp"))
}
