//! The contract between templates, configuration files, the pipeline and the buildspecs, as
//! `package-template` and `run-pipeline check` look at it: over all of `cfn/` and `buildspecs/`, for
//! each environment, without a finding of any severity.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use contract::buildspec::Buildspec;
use contract::check::{Archive, Definition, File, LocalPaths, Subject, Written, check};
use contract::checks;
use contract::evaluate::World;

use super::ENVIRONMENTS;
use crate::faults::Faults;
use crate::stack::{STACK, configuration};

pub(super) fn look(folder: &Path, faults: &mut Faults) -> Result<(), String> {
    for (environment, ami) in ENVIRONMENTS
        .into_iter()
        .flat_map(|one| [(one, "codebuild"), (one, "worker")])
    {
        faults.at(format!("the contract ({environment}, {ami})"));
        let files = archive(folder, environment)?;
        let read = |name: &str| {
            let path = files.get(name)?;
            let shown = path.strip_prefix(folder).unwrap_or(path);
            Some(File {
                shown: shown.display().to_string(),
                bytes: std::fs::read(path).ok()?,
            })
        };
        let mut world = World::in_region("eu-central-1", "123456789012", STACK);
        world.parameters = configuration(folder, &format!("pipeline-{environment}.json"))?;
        let given = ("AmiAction".to_owned(), ami.to_owned());
        world.parameters.extend([given]);
        let bucket = world.parameters.get("SourceBucketName").cloned();
        // The first template is the one that the configuration belongs to.
        let rest = files
            .keys()
            .filter(|name| is_template(name) && *name != "app.yml");
        let templates = std::iter::once("app.yml".to_owned()).chain(rest.cloned());
        let report = check(&Subject {
            archive: Archive {
                names: Some(files.keys().cloned().collect()),
                read: &read,
            },
            templates: templates.collect(),
            configurations: vec!["config.json".to_owned()],
            pipeline: Some(Definition {
                file: read("pipeline.yml").ok_or("there is no pipeline.yml")?,
                world: &world,
                id: None,
            }),
            written: Some(Written {
                bucket,
                key: "template.zip".to_owned(),
            }),
            buildspecs: Vec::new(),
            local_paths: LocalPaths::Kept,
            local_files: &|_, _| None,
            aliases_written_out: false,
        });
        for finding in report.findings {
            // It is deployed by way of a bucket; scripts/cfn-check holds the others to a request.
            if finding.rule.name == "large-body" && finding.file == "cfn/pipeline.yml" {
                continue;
            }
            faults.unless(false, format!("{} {finding}", finding.rule.code));
        }
        for unread in report.unread {
            faults.unless(false, format!("not checked: {unread}"));
        }
    }
    buildspecs(folder, faults)
}

/// Every buildspec, those too that no project of a template names: `package-template.yml` and
/// `release.yml` run before and beside the pipeline.
fn buildspecs(folder: &Path, faults: &mut Faults) -> Result<(), String> {
    faults.at("the contract");
    for (name, path) in archive(folder, "dev")? {
        if !name.starts_with("buildspecs/") || !name.ends_with(".yml") {
            continue;
        }
        let bytes = std::fs::read(&path).map_err(|error| format!("{name}: {error}"))?;
        let findings = match Buildspec::parse(&name, &bytes) {
            Ok(spec) => checks::buildspec::check(&spec),
            Err(findings) => findings,
        };
        for finding in findings {
            faults.unless(false, format!("{} {finding}", finding.rule.code));
        }
    }
    Ok(())
}

fn is_template(name: &str) -> bool {
    name.ends_with(".yml") && !name.contains('/')
}

/// What `buildspecs/package-template.yml` packs, without the application, and every other template
/// beside: names in the archive to files.
fn archive(folder: &Path, environment: &str) -> Result<BTreeMap<String, PathBuf>, String> {
    let (cfn, buildspecs) = (folder.join("cfn"), folder.join("buildspecs"));
    let mut files = BTreeMap::from([
        (
            "config.json".to_owned(),
            cfn.join(format!("config/{environment}.json")),
        ),
        (
            "pipeline.json".to_owned(),
            cfn.join(format!("config/pipeline-{environment}.json")),
        ),
    ]);
    for (folder, prefix) in [(&cfn, ""), (&buildspecs, "buildspecs/")] {
        let entries = std::fs::read_dir(folder).map_err(|error| error.to_string())?;
        for entry in entries {
            let entry = entry.map_err(|error| error.to_string())?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let packed = name.ends_with(".yml") || name.ends_with(".sh");
            if packed {
                files.insert(format!("{prefix}{name}"), entry.path());
            }
        }
    }
    Ok(files)
}
