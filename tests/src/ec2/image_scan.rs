//! What Amazon Inspector found in an image, as EC2 shows it.

use std::time::SystemTime;

/// A scan of an image.
#[derive(Debug, Clone)]
pub struct ImageScan {
    /// When it was.
    pub at: SystemTime,
    /// Since when EC2 shows it.
    pub shown_from: SystemTime,
    /// What it found.
    pub findings: Vec<ImageFinding>,
}

impl ImageScan {
    /// A scan that EC2 shows, with these findings.
    pub fn at(at: SystemTime, findings: impl IntoIterator<Item = ImageFinding>) -> Self {
        Self {
            at,
            shown_from: at,
            findings: findings.into_iter().collect(),
        }
    }
}

/// A vulnerability.
#[derive(Debug, Clone)]
pub struct ImageFinding {
    /// Such as `CVE-2022-3171 - com.google.protobuf:protobuf-java`.
    pub title: String,
    /// `informational`, `low`, `medium`, `high` or `critical`.
    pub severity: Option<String>,
    /// 0 to 10.
    pub score: Option<f64>,
    /// Whether there is a fix.
    pub fixable: bool,
    /// When it was first observed in this image, as EC2 writes it; the time of the scan where nothing else is said.
    pub first_observed: Option<String>,
    /// The files that have it.
    pub paths: Vec<String>,
}

impl ImageFinding {
    /// A finding of a package without a fix.
    pub fn new(title: &str, severity: &str) -> Self {
        Self {
            title: title.to_owned(),
            severity: Some(severity.to_owned()),
            score: None,
            fixable: false,
            first_observed: None,
            paths: Vec::new(),
        }
    }

    /// Adds a fix.
    #[must_use]
    pub fn fixable(mut self) -> Self {
        self.fixable = true;
        self
    }

    /// Gives it a score.
    #[must_use]
    pub fn score(mut self, score: f64) -> Self {
        self.score = Some(score);
        self
    }

    /// Names a file that has it.
    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        self.paths.push(path.to_owned());
        self
    }
}
