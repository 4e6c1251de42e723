//! Configuration files, requirements and buildspecs beside the templates.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::ENVIRONMENTS;
use crate::faults::Faults;
use crate::stack::{Stack, configuration, repository};

pub(super) fn look(folder: &Path, faults: &mut Faults) -> Result<(), String> {
    for (template, prefix) in [("app.yml", ""), ("pipeline.yml", "pipeline-")] {
        let stack = Stack::load(folder, template)?;
        for environment in ENVIRONMENTS {
            let file = format!("{prefix}{environment}.json");
            faults.at(format!("cfn/config/{file}"));
            let path = folder.join("cfn/config").join(&file);
            let text =
                std::fs::read_to_string(&path).map_err(|error| format!("{file}: {error}"))?;
            let value: Value =
                serde_json::from_str(&text).map_err(|error| format!("{file}: {error}"))?;
            for tag in ["Project", "Environment"] {
                faults.equal(tag, &value["Tags"][tag], value["Parameters"][tag].clone());
            }
            faults.equal(
                "environment",
                &value["Parameters"]["Environment"],
                environment,
            );
            let given = configuration(folder, &file)?;
            faults.unless(
                !given.contains_key("AMIId"),
                "AMIId comes from the pipeline, not from a file",
            );
            for name in given.keys() {
                let declared = stack.template().parameter(name).is_some();
                faults.unless(declared, format!("{name} is no parameter of {template}"));
            }
        }
    }
    same_names(folder, faults)?;
    pages(folder, faults)?;
    versions(folder, faults)
}

/// The pipeline deploys into the stack and the network of its own environment.
fn same_names(folder: &Path, faults: &mut Faults) -> Result<(), String> {
    for environment in ENVIRONMENTS {
        let file = format!("pipeline-{environment}.json");
        faults.at(format!("cfn/config/{file}"));
        let given = configuration(folder, &file)?;
        let name = given.get("AppStackName").map_or("", String::as_str);
        faults.unless(
            name.ends_with(environment),
            format!("AppStackName is {name}"),
        );
        let app = configuration(folder, &format!("{environment}.json"))?;
        faults.equal(
            "AppVpcId",
            &json!(given.get("AppVpcId")),
            json!(app.get("VPCId")),
        );
    }
    Ok(())
}

/// cfn-lint in the Validate stage is the one that this repository is checked with.
fn versions(folder: &Path, faults: &mut Faults) -> Result<(), String> {
    faults.at("cfn/rules/cfn-lint.txt");
    let read = |path: &Path| {
        std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let pins = |text: &str| -> BTreeMap<String, String> {
        text.lines()
            .filter_map(|line| line.split_once("=="))
            .map(|(name, version)| {
                (
                    name.to_lowercase().replace('_', "-"),
                    version.trim_end_matches('\\').trim().to_owned(),
                )
            })
            .collect()
    };
    for name in ["cfn-lint.txt", "checkov.txt"] {
        let text = read(&folder.join("cfn/rules").join(name))?;
        let packages = text.split("==").skip(1);
        faults.unless(
            packages.clone().count() > 0
                && packages.clone().all(|one| one.contains("--hash=sha256:")),
            format!("{name} has a package without its digests"),
        );
    }
    let here = pins(&read(&repository().join("scripts/requirements.txt"))?);
    let there = pins(&read(&folder.join("cfn/rules/cfn-lint.txt"))?);
    faults.unless(there.contains_key("cfn-lint"), "cfn-lint is not pinned");
    for (name, version) in there {
        let Some(own) = here.get(&name) else { continue };
        faults.unless(
            *own == version,
            format!("{name} is {version}, but {own} in scripts/requirements.txt"),
        );
    }
    Ok(())
}

/// The page explains every template.
fn pages(folder: &Path, faults: &mut Faults) -> Result<(), String> {
    faults.at("cfn/README.md");
    let page = std::fs::read_to_string(folder.join("cfn/README.md"))
        .map_err(|error| format!("cfn/README.md: {error}"))?;
    let entries = std::fs::read_dir(folder.join("cfn")).map_err(|error| error.to_string())?;
    for entry in entries {
        let name = entry.map_err(|error| error.to_string())?.file_name();
        let name = name.to_string_lossy();
        if name.ends_with(".yml") {
            faults.unless(
                page.contains(&format!("`{name}`")),
                format!("{name} is not explained"),
            );
        }
    }
    Ok(())
}
