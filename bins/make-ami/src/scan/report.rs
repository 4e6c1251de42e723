//! The findings as files: JSON for scripts, SARIF for code hosts, JUnit XML for CodeBuild's report groups.

mod json;
mod junit;
mod sarif;
mod subject;

use crate::image::wait_available::Verified;
use crate::job::Job;
use crate::scan::outcome::Scanned;
use crate::scan::report::subject::Subject;
use action::export::file::ExportFile;
use action::failure::Failure;
use std::path::Path;

type Render = fn(&Subject<'_>) -> String;

/// Removes the reports of an earlier run, so that nobody takes them for this one's, and makes sure that others can be
/// written.
pub(super) fn forget(job: &Job) -> Result<(), Failure> {
    for path in paths(job) {
        ExportFile::prepare(path).map_err(|error| {
            Failure::refused("there can be no report of the scan; nothing was touched").cause(error)
        })?;
    }
    Ok(())
}

fn paths(job: &Job) -> impl Iterator<Item = &Path> {
    let reports = &job.settings.scan.reports;
    let all = [&reports.json, &reports.sarif, &reports.junit];
    all.into_iter().filter_map(|path| path.as_deref())
}

/// Writes the reports that the settings ask for, each whole or not at all.
pub(super) fn write(job: &Job, image: &Verified, scanned: &Scanned) -> Result<(), Failure> {
    if job.context.dry_run {
        return Ok(());
    }
    let subject = Subject {
        job,
        image,
        scanned,
    };
    let reports = &job.settings.scan.reports;
    let forms: [(_, Render); 3] = [
        (&reports.json, json::render),
        (&reports.sarif, sarif::render),
        (&reports.junit, junit::render),
    ];
    for (path, render) in forms {
        let Some(path) = path else { continue };
        let written = ExportFile::prepare(path).and_then(|file| file.write(&render(&subject)));
        written.map_err(|error| {
            Failure::failed(format!("cannot write the report {}", path.display())).cause(error)
        })?;
    }
    Ok(())
}
