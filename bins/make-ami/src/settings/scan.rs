//! Settings of the image's scan for known vulnerabilities.

use action::settings::faults::Faults;
use action::words;
use std::path::PathBuf;
use std::time::Duration;

words! {
    /// Whether the image is scanned, and what follows.
    #[derive(Default)]
    pub enum ScanMode: "known" {
        /// No scan.
        #[default]
        Off = "off",
        /// What is found is told and written down; the run goes on whatever it is.
        Report = "report",
        /// The run fails when findings count.
        Gate = "gate",
    }
}

words! {
    /// How bad a finding is, as Amazon Inspector says.
    #[derive(Default, PartialOrd, Ord)]
    pub enum Severity: "a severity" {
        /// A CVSS score of 0.
        Informational = "informational",
        /// 0.1 to 3.9.
        Low = "low",
        /// 4.0 to 6.9.
        Medium = "medium",
        /// 7.0 to 8.9.
        #[default]
        High = "high",
        /// 9.0 to 10.
        Critical = "critical",
    }
}

words! {
    /// Which findings count, by whether something can be done about them.
    #[derive(Default)]
    pub enum ScanCounts: "known" {
        /// All.
        #[default]
        All = "all",
        /// Those that there is a fix for, or a part of one.
        Fixable = "fixable",
    }
}

words! {
    /// What happens to an image that does not pass its scan.
    #[derive(Default)]
    pub enum OnScanFailure: "known" {
        /// It stays and is listed.
        #[default]
        Keep = "keep",
        /// It is removed.
        Clean = "clean",
    }
}

/// The image's scan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scan {
    /// Whether there is one.
    pub mode: ScanMode,
    /// The least severity that counts.
    pub severity: Severity,
    /// Which findings count beside that.
    pub counts: ScanCounts,
    /// How long a finding must be known until it counts.
    pub grace: Option<Duration>,
    /// The file of findings that are accepted.
    pub accepted: Option<PathBuf>,
    /// How old an earlier scan of the image may be.
    pub age: Duration,
    /// What happens to an image that does not pass.
    pub on_failure: OnScanFailure,
    /// Where the findings go.
    pub reports: ScanReports,
}

/// Where the findings go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScanReports {
    /// As JSON.
    pub json: Option<PathBuf>,
    /// As SARIF 2.1.0.
    pub sarif: Option<PathBuf>,
    /// As JUnit XML.
    pub junit: Option<PathBuf>,
}

/// What the settings of a scan must keep between each other.
pub(crate) fn check_scan(scan: &Scan, app: Option<&str>, faults: &mut Faults) {
    let needs_scan = [
        ("scan_grace", scan.grace.is_some()),
        ("scan_accepted", scan.accepted.is_some()),
        ("scan_json", scan.reports.json.is_some()),
        ("scan_sarif", scan.reports.sarif.is_some()),
        ("scan_junit", scan.reports.junit.is_some()),
    ];
    for (setting, _) in needs_scan.into_iter().filter(|(_, given)| *given) {
        if scan.mode == ScanMode::Off {
            faults.of(
                setting,
                "there is no scan; set MAKE_AMI_SCAN=report or MAKE_AMI_SCAN=gate",
            );
        }
    }
    if scan.grace.is_some() && app.is_none() {
        faults.of(
            "scan_grace",
            "MAKE_AMI_APP must say whose earlier images tell how long a finding is known",
        );
    }
}
