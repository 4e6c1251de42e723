//! The statement of how an image was made: in-toto's Statement v1 with SLSA's provenance v1
//! (<https://slsa.dev/spec/v1.0/provenance>).
//!
//! EC2 knows no digest of an image. What stands for one is the SHA-256 of the ids of the image and of its snapshots, which
//! never change: the image first, then the snapshots in the order of their letters, one a line.

use crate::job::Job;
use crate::outcome::Finished;
use crate::plan::tag_value::hex;
use crate::provenance::ancestry::Generation;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub(crate) const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
pub(crate) const PREDICATE_TYPE: &str = "https://slsa.dev/provenance/v1";
/// What the parameters of the statement mean.
pub(crate) const BUILD_TYPE: &str = "urn:pipeline-actions:make-ami:1";

/// The statement of a finished run. The copies that were waited for are subjects too.
pub(crate) fn statement(job: &Job, finished: &Finished, ancestry: &[Generation]) -> Value {
    let Finished {
        spec,
        verified,
        copies,
        available,
        ..
    } = finished;
    let home = &job.home.region;
    let provenance = &job.settings.provenance;
    let build = &job.context.codebuild;
    let mut subjects = vec![subject(home, &verified.image_id, &verified.snapshot_ids())];
    let whole = copies.iter().filter(|copy| copy.available);
    subjects.extend(whole.map(|copy| subject(&copy.region, &copy.image_id, &copy.snapshots)));
    let snapshots = verified.snapshots.iter().map(|snapshot| {
        json!({
            "uri": uri(home, "snapshot", &snapshot.id),
            "annotations": {
                "volumeId": snapshot.volume_id,
                "volumeBytes": snapshot.volume_bytes,
                "encrypted": snapshot.encrypted,
            },
        })
    });
    let mut dependencies = vec![json!({
        "name": "instance",
        "uri": uri(home, "instance", &spec.instance_id),
    })];
    dependencies.extend(ancestry.iter().skip(1).map(|generation| {
        let region = generation.region.as_deref().unwrap_or("unknown");
        json!({ "name": "ancestor", "uri": uri(region, "image", &generation.image_id) })
    }));
    dependencies.extend(build.resolved_source_version.as_deref().map(source));
    let known = [
        ("release", &provenance.release_id),
        ("template", &provenance.template_digest),
    ];
    for (name, value) in known {
        let one =
            |value| json!({ "name": name, "uri": format!("urn:pipeline-actions:{name}:{value}") });
        dependencies.extend(value.as_ref().map(one));
    }
    let builder = match &build.build_id {
        Some(_) => "https://aws.amazon.com/codebuild/",
        None => "urn:pipeline-actions:no-build",
    };
    let watermarks = provenance.watermarks.iter().map(ToString::to_string);
    json!({
        "_type": STATEMENT_TYPE,
        "subject": subjects,
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "region": home,
                    "instanceId": spec.instance_id,
                    "name": verified.name,
                    "application": job.settings.app,
                    "consistency": spec.consistency,
                    "watermarks": watermarks.collect::<Vec<_>>(),
                    "releaseId": provenance.release_id,
                    "templateDigest": provenance.template_digest,
                },
                "internalParameters": { "run": spec.run, "pipeline": build.pipeline() },
                "resolvedDependencies": dependencies,
            },
            "runDetails": {
                "builder": {
                    "id": builder,
                    "version": { "make-ami": env!("CARGO_PKG_VERSION") },
                },
                "metadata": {
                    "invocationId": build.build_arn.as_ref().or(build.build_id.as_ref()),
                    "startedOn": utc(job.clock.began()),
                    "finishedOn": utc(*available),
                },
                "byproducts": snapshots.collect::<Vec<_>>(),
            },
        },
    })
}

fn subject(region: &str, image_id: &str, snapshots: &[String]) -> Value {
    json!({
        "name": subject_name(region, image_id),
        "uri": uri(region, "image", image_id),
        "digest": { "sha256": digest(image_id, snapshots) },
    })
}

/// What an image is called: `eu-west-1/ami-0123456789abcdef0`.
pub(crate) fn subject_name(region: &str, image_id: &str) -> String {
    format!("{region}/{image_id}")
}

/// The digest of an image by its id and those of its snapshots.
pub(crate) fn digest(image_id: &str, snapshots: &[String]) -> String {
    let mut lines: Vec<&str> = snapshots.iter().map(String::as_str).collect();
    lines.sort_unstable();
    lines.insert(0, image_id);
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    hex(&Sha256::digest(text))
}

fn uri(region: &str, kind: &str, id: &str) -> String {
    format!("urn:ec2:{region}:{kind}/{id}")
}

/// The source of the build: a commit, or whatever version CodeBuild tells.
fn source(version: &str) -> Value {
    let is_commit =
        [40, 64].contains(&version.len()) && version.bytes().all(|byte| byte.is_ascii_hexdigit());
    match is_commit {
        true => json!({ "name": "source", "digest": { "gitCommit": version } }),
        false => json!({
            "name": "source",
            "uri": "urn:pipeline-actions:source",
            "annotations": { "version": version },
        }),
    }
}

fn utc(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::{digest, source};
    use serde_json::json;

    /// `printf '%s\n' ami-1 snap-1 snap-2 | sha256sum`
    #[test]
    fn the_digest_is_that_of_the_sorted_ids() {
        let sorted = ["snap-1".to_owned(), "snap-2".to_owned()];
        let mut other = sorted.clone();
        other.reverse();
        let expected = "5db8cdc78b5871a86ad154f1f385ab729fff6e7066362407de6aa23d44e8c115";
        assert_eq!(digest("ami-1", &sorted), expected);
        assert_eq!(digest("ami-1", &other), expected);
        assert_ne!(digest("ami-1", &sorted[..1]), expected);
    }

    #[test]
    fn only_a_commit_counts_as_one() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(source(commit)["digest"]["gitCommit"], commit);
        assert_eq!(
            source("v1.x/AB")["annotations"],
            json!({ "version": "v1.x/AB" })
        );
    }
}
