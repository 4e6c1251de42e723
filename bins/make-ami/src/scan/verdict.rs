//! Which findings count.

use crate::scan::accepted::{Accepted, Entry};
use crate::scan::ago::ago;
use crate::scan::finding::Finding;
use crate::settings::scan::{Scan, ScanCounts, Severity};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// What is thought of a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Weight {
    /// It counts: an image that has it does not pass.
    Counts,
    /// It is less severe than what counts.
    Slight,
    /// There is no fix for it, and only findings with one count.
    Unfixable,
    /// It is accepted.
    Accepted(Entry),
    /// It is not known long enough.
    Recent,
}

impl Weight {
    /// In a word or two, for people and machines.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Weight::Counts => "counts",
            Weight::Slight => "slight",
            Weight::Unfixable => "no-fix",
            Weight::Accepted(_) => "accepted",
            Weight::Recent => "recent",
        }
    }
}

/// A finding, and what is thought of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Weighed {
    pub(crate) finding: Finding,
    pub(crate) weight: Weight,
}

/// All findings of an image, weighed: the worst first.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) findings: Vec<Weighed>,
    pub(crate) accepted: Accepted,
}

impl Verdict {
    /// The findings that count.
    pub(crate) fn counting(&self) -> impl Iterator<Item = &Weighed> {
        let all = self.findings.iter();
        all.filter(|one| one.weight == Weight::Counts)
    }

    pub(crate) fn is_passed(&self) -> bool {
        self.counting().next().is_none()
    }

    /// `2 of 57 findings count: 1 critical, 1 high`.
    pub(crate) fn summary(&self) -> String {
        let all = match self.findings.len() {
            0 => return "no findings".to_owned(),
            1 => "1 finding".to_owned(),
            n => format!("{n} findings"),
        };
        let counting: Vec<&Weighed> = self.counting().collect();
        if counting.is_empty() {
            return format!("none of {all} counts");
        }
        let verb = match counting.len() {
            1 => "counts",
            _ => "count",
        };
        let of = |severity: Option<Severity>| {
            let number = counting
                .iter()
                .filter(|one| one.finding.severity == severity);
            let word = severity.map_or("unknown".to_owned(), |severity| severity.to_string());
            let number = number.count();
            (number > 0).then(|| format!("{number} {word}"))
        };
        let each = [
            Some(Severity::Critical),
            Some(Severity::High),
            Some(Severity::Medium),
            Some(Severity::Low),
            Some(Severity::Informational),
            None,
        ];
        let each: Vec<String> = each.into_iter().filter_map(of).collect();
        format!("{} of {all} {verb}: {}", counting.len(), each.join(", "))
    }
}

/// What was known before the grace began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Known {
    /// Nobody can say: there is no grace, or no image from before it was scanned. Every finding counts.
    Nothing,
    /// The ids of these.
    Ids(BTreeSet<String>),
}

/// Weighs findings.
pub(crate) fn weigh(
    mut findings: Vec<Finding>,
    rule: &Scan,
    accepted: &Accepted,
    known: &Known,
    now: Timestamp,
) -> Verdict {
    // One whose severity nobody knows comes first: it may be the worst.
    findings.sort_by(|one, other| {
        let rank = |finding: &Finding| (finding.severity.is_some(), finding.severity);
        let by_severity = rank(one).0.cmp(&rank(other).0);
        let by_severity = by_severity.then(rank(other).1.cmp(&rank(one).1));
        by_severity.then_with(|| one.title.cmp(&other.title))
    });
    let accepted = accepted.on(now, &findings);
    let weight = |finding: &Finding| {
        if finding
            .severity
            .is_some_and(|severity| severity < rule.severity)
        {
            return Weight::Slight;
        }
        if rule.counts == ScanCounts::Fixable && !finding.fixable {
            return Weight::Unfixable;
        }
        if let Some(entry) = accepted.valid(finding) {
            return Weight::Accepted(entry.clone());
        }
        match rule.grace {
            Some(grace) if is_recent(finding, known, ago(grace, now)) => Weight::Recent,
            _ => Weight::Counts,
        }
    };
    let findings = findings
        .into_iter()
        .map(|finding| Weighed {
            weight: weight(&finding),
            finding,
        })
        .collect();
    Verdict { findings, accepted }
}

/// Whether a finding is known since the grace began only.
fn is_recent(finding: &Finding, known: &Known, began: Timestamp) -> bool {
    let is_old_here = finding.first_observed.is_some_and(|at| at <= began);
    match known {
        Known::Nothing => false,
        Known::Ids(ids) => !is_old_here && !ids.contains(finding.id()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{Known, Weight, weigh};
    use crate::scan::accepted::Accepted;
    use crate::scan::ago::ago;
    use crate::scan::finding::Finding;
    use crate::settings::scan::{Scan, ScanCounts, Severity};
    use jiff::Timestamp;
    use proptest::prelude::*;
    use std::time::Duration;

    const DAY: Duration = Duration::from_secs(86_400);

    fn now() -> Timestamp {
        "2026-11-30T12:00:00Z".parse().unwrap()
    }

    fn finding(id: &str, severity: Option<Severity>) -> Finding {
        Finding {
            title: format!("{id} - openssl"),
            severity,
            score: None,
            fixable: false,
            first_observed: Some(now()),
            paths: Vec::new(),
            snapshot_id: None,
        }
    }

    fn weight(finding: Finding, rule: &Scan, accepted: &Accepted, known: &Known) -> Weight {
        let verdict = weigh(vec![finding], rule, accepted, known, now());
        verdict.findings[0].weight.clone()
    }

    fn plain(finding: Finding, rule: &Scan) -> Weight {
        weight(finding, rule, &Accepted::default(), &Known::Nothing)
    }

    #[test]
    fn what_is_as_severe_as_asked_counts_and_so_does_what_nobody_can_judge() {
        let rule = Scan::default();
        assert_eq!(rule.severity, Severity::High);
        for (severity, expected) in [
            (Some(Severity::Critical), Weight::Counts),
            (Some(Severity::High), Weight::Counts),
            (Some(Severity::Medium), Weight::Slight),
            (Some(Severity::Informational), Weight::Slight),
            (None, Weight::Counts),
        ] {
            assert_eq!(plain(finding("CVE-1", severity), &rule), expected);
        }
    }

    #[test]
    fn where_only_fixable_findings_count_others_do_not() {
        let rule = Scan {
            counts: ScanCounts::Fixable,
            ..Scan::default()
        };
        let mut one = finding("CVE-1", Some(Severity::Critical));
        assert_eq!(plain(one.clone(), &rule), Weight::Unfixable);
        one.fixable = true;
        assert_eq!(plain(one, &rule), Weight::Counts);
    }

    #[test]
    fn a_finding_is_recent_only_where_an_image_from_before_the_grace_did_not_have_it() {
        let rule = Scan {
            grace: Some(7 * DAY),
            ..Scan::default()
        };
        let one = || finding("CVE-1", Some(Severity::Critical));
        let with = |known: &Known, one| weight(one, &rule, &Accepted::default(), known);
        assert_eq!(with(&Known::Nothing, one()), Weight::Counts);
        let other = Known::Ids(["CVE-2".to_owned()].into());
        assert_eq!(with(&other, one()), Weight::Recent);
        let same = Known::Ids(["CVE-1".to_owned()].into());
        assert_eq!(with(&same, one()), Weight::Counts);
        let mut old = one();
        old.first_observed = Some(ago(8 * DAY, now()));
        assert_eq!(with(&other, old), Weight::Counts);
    }

    #[test]
    fn the_worst_comes_first_and_the_summary_counts_by_severity() {
        let found = vec![
            finding("CVE-3", Some(Severity::Low)),
            finding("CVE-2", Some(Severity::High)),
            finding("CVE-1", Some(Severity::Critical)),
            finding("CVE-4", None),
        ];
        let rule = Scan::default();
        let verdict = weigh(found, &rule, &Accepted::default(), &Known::Nothing, now());
        let ids = verdict.findings.iter().map(|one| one.finding.id());
        assert_eq!(
            ids.collect::<Vec<_>>(),
            ["CVE-4", "CVE-1", "CVE-2", "CVE-3"]
        );
        assert_eq!(
            verdict.summary(),
            "3 of 4 findings count: 1 critical, 1 high, 1 unknown"
        );
        let none = weigh(
            Vec::new(),
            &rule,
            &Accepted::default(),
            &Known::Nothing,
            now(),
        );
        assert_eq!(none.summary(), "no findings");
        assert!(none.is_passed());
    }

    fn severity() -> impl Strategy<Value = Option<Severity>> {
        let known = prop_oneof![
            Just(Severity::Informational),
            Just(Severity::Low),
            Just(Severity::Medium),
            Just(Severity::High),
            Just(Severity::Critical)
        ];
        proptest::option::weighted(0.9, known)
    }

    proptest! {
        /// A stricter rule never lets more pass.
        #[test]
        fn a_stricter_rule_counts_at_least_as_much(
            severities in proptest::collection::vec((severity(), any::<bool>()), 0..12),
            bound in severity(),
            fixable in any::<bool>(),
            grace in proptest::option::of(1_u32..30),
        ) {
            let found = severities.iter().enumerate().map(|(n, (severity, fixable))| Finding {
                fixable: *fixable,
                ..finding(&format!("CVE-{n}"), *severity)
            });
            let found: Vec<Finding> = found.collect();
            let known = Known::Ids(["CVE-0".to_owned(), "CVE-3".to_owned()].into());
            let loose = Scan {
                severity: bound.unwrap_or_default(),
                counts: if fixable { ScanCounts::Fixable } else { ScanCounts::All },
                grace: grace.map(|days| days * DAY),
                ..Scan::default()
            };
            let counting = |rule: &Scan| {
                let verdict = weigh(found.clone(), rule, &Accepted::default(), &known, now());
                verdict.counting().count()
            };
            let least = Severity::Informational;
            for strict in [
                Scan { severity: least, ..loose.clone() },
                Scan { counts: ScanCounts::All, ..loose.clone() },
                Scan { grace: None, ..loose.clone() },
            ] {
                prop_assert!(counting(&strict) >= counting(&loose));
            }
            let all = Scan { severity: least, ..Scan::default() };
            prop_assert_eq!(counting(&all), found.len());
        }
    }
}
