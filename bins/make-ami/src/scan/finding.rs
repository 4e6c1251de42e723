//! A finding of a scan.

use crate::job::timestamp;
use crate::settings::scan::Severity;
use aws_sdk_ec2::types::{ImageFinding, SeverityLabel};
use jiff::Timestamp;

/// A vulnerability in an image.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Finding {
    /// Such as `CVE-2022-3171 - com.google.protobuf:protobuf-java`.
    pub(crate) title: String,
    /// None where neither a severity nor a score is told: then nobody can say that it is harmless.
    pub(crate) severity: Option<Severity>,
    /// Inspector's score, 0 to 10.
    pub(crate) score: Option<f64>,
    /// Whether there is a fix, or a part of one.
    pub(crate) fixable: bool,
    pub(crate) first_observed: Option<Timestamp>,
    /// Files of the image; EC2 tells ten at most.
    pub(crate) paths: Vec<String>,
    pub(crate) snapshot_id: Option<String>,
}

impl Finding {
    pub(crate) fn of(told: &ImageFinding) -> Self {
        let severity = told.severity_label().and_then(severity);
        Self {
            title: told.title().unwrap_or_default().to_owned(),
            severity: severity.or_else(|| told.score().map(of_score)),
            score: told.score(),
            fixable: told.fix_available().unwrap_or_default(),
            first_observed: told.first_observed_at().map(timestamp),
            paths: told.paths().to_vec(),
            snapshot_id: told.snapshot_id().map(str::to_owned),
        }
    }

    /// The vulnerability's id, such as `CVE-2022-3171`: EC2 tells it only as the first word of the title, which is
    /// unproven for other findings than those of packages.
    pub(crate) fn id(&self) -> &str {
        self.title.split_whitespace().next().unwrap_or_default()
    }

    /// `critical`; `unknown` where nobody tells.
    pub(crate) fn severity_word(&self) -> String {
        let word = self.severity.map(|severity| severity.to_string());
        word.unwrap_or_else(|| "unknown".to_owned())
    }

    /// `critical CVE-2022-3171 - com.google.protobuf:protobuf-java (fix available; /usr/lib/jars/x.jar)`.
    pub(crate) fn line(&self) -> String {
        let fix = match self.fixable {
            true => "fix available",
            false => "no fix yet",
        };
        let place = self.paths.first().map(|path| format!("; {path}"));
        format!(
            "{} {} ({fix}{})",
            self.severity_word(),
            self.title,
            place.unwrap_or_default()
        )
    }
}

pub(crate) fn severity(label: &SeverityLabel) -> Option<Severity> {
    label.as_str().to_ascii_lowercase().parse().ok()
}

/// The bounds of <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ImageFinding.html>.
fn of_score(score: f64) -> Severity {
    match score {
        9.0.. => Severity::Critical,
        7.0.. => Severity::High,
        4.0.. => Severity::Medium,
        score if score > 0.0 => Severity::Low,
        _ => Severity::Informational,
    }
}

#[cfg(test)]
mod tests {
    use super::Finding;
    use crate::settings::scan::Severity;
    use aws_sdk_ec2::types::{ImageFinding, SeverityLabel};

    #[test]
    fn a_severity_that_is_not_told_follows_from_the_score_and_without_one_is_unknown() {
        let of = |label: Option<&str>, score: Option<f64>| {
            let told = ImageFinding::builder().set_score(score);
            let told = told.set_severity_label(label.map(SeverityLabel::from));
            Finding::of(&told.build()).severity
        };
        assert_eq!(of(Some("low"), Some(9.8)), Some(Severity::Low));
        assert_eq!(of(Some("HIGH"), None), Some(Severity::High));
        for (score, severity) in [
            (10.0, Severity::Critical),
            (9.0, Severity::Critical),
            (8.9, Severity::High),
            (4.0, Severity::Medium),
            (0.1, Severity::Low),
            (0.0, Severity::Informational),
        ] {
            assert_eq!(of(None, Some(score)), Some(severity), "{score}");
            assert_eq!(of(Some("untriaged"), Some(score)), Some(severity));
        }
        assert_eq!(of(Some("untriaged"), None), None);
    }
}
