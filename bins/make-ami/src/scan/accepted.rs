//! The file of findings that are accepted: a JSON list of `{"id": …, "reason": …, "until": …}`.

use crate::job::Job;
use crate::scan::finding::Finding;
use action::failure::Failure;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use std::fs;

/// An entry as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: String,
    reason: String,
    until: String,
}

/// A finding that is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The vulnerability's id, such as `CVE-2022-3171`, or a finding's whole title.
    pub(crate) id: String,
    /// Why.
    pub(crate) reason: String,
    /// The last day, in UTC.
    pub(crate) until: Date,
}

impl Entry {
    fn is_about(&self, finding: &Finding) -> bool {
        self.id == finding.id() || self.id == finding.title
    }
}

/// The accepted findings, as they apply to an image on a day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Accepted {
    entries: Vec<Stated>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Stated {
    entry: Entry,
    is_over: bool,
    is_found: bool,
}

impl Accepted {
    /// How the entries apply on a day to an image with these findings.
    pub(crate) fn on(&self, now: Timestamp, findings: &[Finding]) -> Self {
        let today = now.to_zoned(TimeZone::UTC).date();
        let entries = self.entries.iter().map(|stated| Stated {
            is_over: stated.entry.until < today,
            is_found: findings.iter().any(|one| stated.entry.is_about(one)),
            entry: stated.entry.clone(),
        });
        Self {
            entries: entries.collect(),
        }
    }

    /// The entry that accepts a finding, where it has not expired.
    pub(crate) fn valid(&self, finding: &Finding) -> Option<&Entry> {
        let mut valid = self.entries.iter().filter(|stated| !stated.is_over);
        let found = valid.find(|stated| stated.entry.is_about(finding))?;
        Some(&found.entry)
    }

    /// Entries that have expired, of findings that the image has.
    pub(crate) fn expired(&self) -> impl Iterator<Item = &Entry> {
        let all = self.entries.iter();
        let expired = all.filter(|stated| stated.is_over && stated.is_found);
        expired.map(|stated| &stated.entry)
    }

    /// Entries of findings that the image does not have.
    pub(crate) fn unused(&self) -> impl Iterator<Item = &Entry> {
        let unused = self.entries.iter().filter(|stated| !stated.is_found);
        unused.map(|stated| &stated.entry)
    }
}

/// Reads the file that the settings name; nothing is accepted where they name none.
pub(crate) fn read(job: &Job) -> Result<Accepted, Failure> {
    let Some(path) = &job.settings.scan.accepted else {
        return Ok(Accepted::default());
    };
    let refused = || {
        let path = path.display();
        Failure::refused(format!("the accepted findings {path} cannot be used"))
    };
    let text = fs::read_to_string(path).map_err(|error| refused().cause(error))?;
    parse(&text).map_err(|faults| {
        let failure = faults.into_iter().fold(refused(), Failure::detail);
        failure.hint(
            r#"write a list such as [{"id": "CVE-2022-3171", "reason": "not reachable", "until": "2027-01-31"}]"#,
        )
    })
}

fn parse(text: &str) -> Result<Accepted, Vec<String>> {
    let written: Vec<Written> =
        serde_json::from_str(text).map_err(|fault| vec![fault.to_string()])?;
    let mut faults = Vec::new();
    let mut entries: Vec<Stated> = Vec::new();
    for (n, Written { id, reason, until }) in written.into_iter().enumerate() {
        let mut fault = |what: String| faults.push(format!("entry {} ({id:?}): {what}", n + 1));
        if id.trim().is_empty() {
            fault("the id is empty".to_owned());
        }
        if reason.trim().is_empty() {
            fault("the reason is empty".to_owned());
        }
        if entries.iter().any(|earlier| earlier.entry.id == id) {
            fault("an entry before has the same id".to_owned());
        }
        match until.parse::<Date>() {
            Ok(until) => entries.push(Stated {
                entry: Entry { id, reason, until },
                is_over: false,
                is_found: false,
            }),
            Err(_) => fault(format!(
                "until is `{until}`, which is not a day such as 2027-01-31"
            )),
        }
    }
    match faults.is_empty() {
        true => Ok(Accepted { entries }),
        false => Err(faults),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::parse;
    use crate::scan::finding::Finding;
    use jiff::Timestamp;

    fn finding(title: &str) -> Finding {
        Finding {
            title: title.to_owned(),
            severity: None,
            score: None,
            fixable: false,
            first_observed: None,
            paths: Vec::new(),
            snapshot_id: None,
        }
    }

    #[test]
    fn an_entry_counts_to_the_end_of_its_last_day() {
        let text = r#"[{"id": "CVE-1", "reason": "r", "until": "2026-11-30"}]"#;
        let found = [finding("CVE-1 - openssl")];
        for (now, valid) in [
            ("2026-11-29T00:00:00Z", true),
            ("2026-11-30T23:59:59Z", true),
            ("2026-12-01T00:00:00Z", false),
        ] {
            let now: Timestamp = now.parse().unwrap();
            let accepted = parse(text).unwrap().on(now, &found);
            assert_eq!(accepted.valid(&found[0]).is_some(), valid, "{now}");
            assert_eq!(accepted.expired().count(), usize::from(!valid));
            assert_eq!(accepted.unused().count(), 0);
        }
    }

    #[test]
    fn an_entry_is_about_an_id_or_a_whole_title_and_about_no_part_of_an_id() {
        let now: Timestamp = "2026-11-30T00:00:00Z".parse().unwrap();
        let valid = |id: &str, title: &str| {
            let text = format!(r#"[{{"id": "{id}", "reason": "r", "until": "2027-01-01"}}]"#);
            let found = [finding(title)];
            let accepted = parse(&text).unwrap().on(now, &found);
            accepted.valid(&found[0]).is_some()
        };
        assert!(valid("CVE-2022-31", "CVE-2022-31 - openssl"));
        assert!(valid("CVE-2022-31 - openssl", "CVE-2022-31 - openssl"));
        assert!(!valid("CVE-2022-3", "CVE-2022-31 - openssl"));
        assert!(!valid("openssl", "CVE-2022-31 - openssl"));
    }

    #[test]
    fn a_file_that_cannot_be_understood_is_refused_with_every_fault() {
        for (text, part) in [
            ("{}", "expected a sequence"),
            (
                r#"[{"id": "CVE-1", "until": "2027-01-01"}]"#,
                "missing field `reason`",
            ),
            (
                r#"[{"id": "CVE-1", "reason": "r"}]"#,
                "missing field `until`",
            ),
            (
                r#"[{"id": "CVE-1", "reason": "r", "until": "soon"}]"#,
                "soon",
            ),
            (
                r#"[{"id": "CVE-1", "reason": "r", "until": "2027-01-01", "unti": 1}]"#,
                "unknown field",
            ),
            (
                r#"[{"id": "CVE-1", "reason": " ", "until": "2027-01-01"}]"#,
                "the reason is empty",
            ),
            (
                r#"[{"id": "", "reason": "r", "until": "2027-01-01"}]"#,
                "the id is empty",
            ),
        ] {
            let faults = parse(text).unwrap_err().join("\n");
            assert!(faults.contains(part), "{text}: {faults}");
        }
        let twice = r#"[{"id": "A", "reason": "", "until": "2027-01-01"}, {"id": "A", "reason": "r", "until": "2027-01-01"}]"#;
        assert_eq!(parse(twice).unwrap_err().len(), 2);
    }
}
