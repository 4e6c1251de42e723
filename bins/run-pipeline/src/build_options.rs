//! What a buildspec says beside its phases, exports and artifacts: how often a phase is repeated, runtimes,
//! reports, the cache, and how a batch divides it.
//!
//! Source: CodeBuild user guide, "Build specification reference" and "Batch build buildspec reference".

use contract::buildspec::PhaseName;
use contract::yaml::Node;
use regex_automata::meta::Regex;

use crate::batch::Batch;
use crate::yaml_fields::{entries, text, texts};

/// How often `RETRY` without a count repeats a phase.
const RETRIES: u32 = 3;
/// The most that a count may be.
const MAX_RETRIES: u32 = 100;

/// What was read.
#[derive(Debug, Clone, Default)]
pub(crate) struct BuildOptions {
    /// Whether every command has a shell of its own (version 0.1).
    pub(crate) is_0_1: bool,
    retries: [Option<Retry>; 4],
    /// `runtime-versions` of the install phase.
    pub(crate) runtimes: Vec<Runtime>,
    pub(crate) reports: Vec<ReportGroup>,
    /// `cache/paths`.
    pub(crate) cache: Vec<String>,
    pub(crate) batch: Option<Batch>,
}

/// `on-failure: RETRY…`.
#[derive(Debug, Clone)]
pub(crate) struct Retry {
    pub(crate) count: u32,
    /// What the error must match; without it every error does.
    pub(crate) pattern: Option<Regex>,
}

/// A runtime that only CodeBuild's own images can choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Runtime {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) line: usize,
}

/// A group of `reports`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReportGroup {
    pub(crate) name: String,
    pub(crate) format: String,
    pub(crate) base_directory: Option<String>,
    pub(crate) files: Vec<String>,
}

impl BuildOptions {
    /// Reads them out of a buildspec that has been read as one.
    pub(crate) fn read(root: &Node) -> Result<Self, String> {
        let mut retries = [const { None }; 4];
        let phases = root.get("phases");
        for name in PhaseName::ALL {
            let phase = phases.and_then(|node| node.get(name.key()));
            if let Some(text) = phase.and_then(|node| text(node, "on-failure")) {
                retries[name as usize] = Retry::parse(text)?;
            }
        }
        let install = phases.and_then(|node| node.get("install"));
        let runtimes = install.map(|node| entries(node, "runtime-versions"));
        let runtimes = runtimes
            .unwrap_or_default()
            .iter()
            .filter_map(|(name, version)| {
                Some(Runtime {
                    name: name.as_str()?.to_owned(),
                    version: version.as_str()?.to_owned(),
                    line: name.place.line,
                })
            });
        let reports = entries(root, "reports").iter().filter_map(|(name, group)| {
            Some(ReportGroup {
                name: name.as_str()?.to_owned(),
                format: text(group, "file-format")
                    .unwrap_or("JUNITXML")
                    .to_uppercase(),
                base_directory: text(group, "base-directory").map(str::to_owned),
                files: texts(group, "files"),
            })
        });
        Ok(Self {
            is_0_1: text(root, "version") == Some("0.1"),
            retries,
            runtimes: runtimes.collect(),
            reports: reports.collect(),
            cache: root
                .get("cache")
                .map(|node| texts(node, "paths"))
                .unwrap_or_default(),
            batch: root.get("batch").map(Batch::read).transpose()?,
        })
    }

    /// How a phase is repeated when it fails.
    pub(crate) fn retry(&self, phase: PhaseName) -> Option<&Retry> {
        self.retries[phase as usize].as_ref()
    }
}

impl Retry {
    /// Reads `RETRY`, `RETRY-count`, `RETRY-regex` or `RETRY-count-regex`; nothing for another word.
    fn parse(text: &str) -> Result<Option<Self>, String> {
        let rest = match text.strip_prefix("RETRY") {
            Some("") => "",
            Some(rest) if rest.starts_with('-') => &rest[1..],
            _ => return Ok(None),
        };
        let (count, pattern) = match rest.split_once('-') {
            _ if rest.is_empty() => (RETRIES, ""),
            Some((count, pattern)) if is_number(count) => (number(count)?, pattern),
            None if is_number(rest) => (number(rest)?, ""),
            _ => (RETRIES, rest),
        };
        let pattern = match pattern {
            "" => None,
            pattern => Some(Regex::new(pattern).map_err(|_| {
                format!("on-failure {text}: {pattern:?} is not a regular expression")
            })?),
        };
        Ok(Some(Self { count, pattern }))
    }

    /// Whether a phase that failed so is repeated. `message` is what CodeBuild says of the failed command; that the
    /// expression is compared with it is not proven.
    pub(crate) fn covers(&self, message: &str) -> bool {
        self.pattern
            .as_ref()
            .is_none_or(|pattern| pattern.is_match(message))
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn number(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(count) if count <= MAX_RETRIES => Ok(count),
        _ => Err(format!(
            "on-failure: RETRY-{text} is more than {MAX_RETRIES}"
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn retries_have_four_forms() {
        let read = |text: &str| {
            Retry::parse(text)
                .unwrap()
                .map(|one| (one.count, one.pattern))
        };
        assert!(read("ABORT").is_none());
        assert!(matches!(read("RETRY"), Some((3, None))));
        assert!(matches!(read("RETRY-7"), Some((7, None))));
        assert!(matches!(read("RETRY-.*refused.*"), Some((3, Some(_)))));
        assert!(matches!(read("RETRY-2-time-out"), Some((2, Some(_)))));
        assert!(Retry::parse("RETRY-101").is_err());
        assert!(Retry::parse("RETRY-(").is_err());
        let retry = Retry::parse("RETRY-exit status 7").unwrap().unwrap();
        assert!(retry.covers("Reason: exit status 7"));
        assert!(!retry.covers("Reason: exit status 1"));
    }

    #[test]
    fn the_rest_is_read_as_it_is_written() {
        let text = "version: 0.2
phases:
  install:
    runtime-versions: {python: 3.12, nodejs: latest}
  build: {on-failure: RETRY-2, commands: [x]}
reports:
  unit: {files: ['**/*.xml'], base-directory: out}
  shop: {files: a.json, file-format: CucumberJson}
cache: {paths: [node_modules/**/*]}
";
        let root = contract::yaml::parse("b.yml", text).unwrap();
        let read = BuildOptions::read(&root).unwrap();
        assert!(!read.is_0_1);
        assert_eq!(read.runtimes[0].version, "3.12");
        assert_eq!(read.runtimes[1].line, 4);
        assert_eq!(read.retry(PhaseName::Build).unwrap().count, 2);
        assert!(read.retry(PhaseName::Install).is_none());
        assert_eq!(read.reports[0].format, "JUNITXML");
        assert_eq!(read.reports[1].format, "CUCUMBERJSON");
        assert_eq!(read.reports[1].files, ["a.json"]);
        assert_eq!(read.cache, ["node_modules/**/*"]);
    }
}
