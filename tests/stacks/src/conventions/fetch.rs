//! What a build fetches: the keys that `buildspecs/install.sh` asks the release bucket for are those
//! that the build's role may read, and no others.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;

use crate::faults::Faults;
use crate::stack::Stack;
use crate::statements;

/// Each build's project and role.
const BUILDS: [(&str, &str); 5] = [
    ("ValidateProject", "ValidateRole"),
    ("ScanProject", "ScanRole"),
    ("DeployProject", "DeployRole"),
    ("WarmProject", "WarmRole"),
    ("AmiProject", "AmiRole"),
];

pub(super) fn look(folder: &Path, faults: &mut Faults) -> Result<(), String> {
    let read = |name: &str| {
        std::fs::read_to_string(folder.join(name)).map_err(|error| format!("{name}: {error}"))
    };
    let keys = asked(&read("buildspecs/install.sh")?);
    faults.at("buildspecs/install.sh");
    // What release-publish writes, and what a plain copy of the programs has.
    faults.equal("what it asks for", &json!(keys), json!(["$1", "blobs/$2"]));
    let stack = Stack::load(folder, "pipeline.yml")?
        .configured(folder, "pipeline-prod.json")?
        .with(&[
            ("WarmSnapshot", "yes"),
            ("ReleaseBucketName", "release"),
            ("ReleasePrefix", "programs"),
        ]);
    faults.at("pipeline.yml");
    let statements = statements::allowing(&stack)?;
    for (project, role) in BUILDS {
        let properties = stack.properties(project)?;
        let buildspec = properties["Source"]["BuildSpec"].as_str();
        let programs = installed(&read(buildspec.unwrap_or_default())?);
        faults.unless(
            !programs.is_empty(),
            format!("{project} installs no program"),
        );
        let expected: BTreeSet<String> = programs
            .iter()
            .flat_map(|program| keys.iter().map(move |key| key.replace("$1", program)))
            .map(|key| format!("arn:aws:s3:::release/programs/{}", key.replace("$2", "*")))
            .collect();
        let granted: BTreeSet<String> = statements
            .iter()
            .filter(|one| one.owner == role && one.sid == "FetchPrograms")
            .flat_map(|one| one.resources.clone())
            .collect();
        faults.equal(
            format!("what {role} fetches"),
            &json!(granted),
            json!(expected),
        );
    }
    Ok(())
}

/// The keys below `ACTIONS_RELEASE` that the script copies from: `$1` is the program, `$2` its digest.
fn asked(script: &str) -> BTreeSet<String> {
    script
        .split("copy \"$ACTIONS_RELEASE/")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .map(str::to_owned)
        .collect()
}

/// The programs that a buildspec installs.
fn installed(buildspec: &str) -> Vec<String> {
    buildspec
        .split("sh buildspecs/install.sh ")
        .skip(1)
        .filter_map(|rest| rest.lines().next())
        .flat_map(str::split_whitespace)
        .map(str::to_owned)
        .collect()
}
