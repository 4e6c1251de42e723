use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Which statuses of an answer are good ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statuses(Vec<RangeInclusive<u16>>);

impl Statuses {
    /// Whether an answer with this status is a good one.
    #[must_use]
    pub fn contain(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }

    /// All of them, as ranges.
    #[must_use]
    pub fn ranges(&self) -> &[RangeInclusive<u16>] {
        &self.0
    }
}

/// 200 alone.
impl Default for Statuses {
    fn default() -> Self {
        Self(vec![200..=200])
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, range) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            match range.start() == range.end() {
                true => write!(f, "{comma}{}", range.start())?,
                false => write!(f, "{comma}{}-{}", range.start(), range.end())?,
            }
        }
        Ok(())
    }
}

/// Numbers and ranges from 200 to 599 between commas, such as `200,204,301-399`.
impl FromStr for Statuses {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let status = |text: &str| {
            let number = text.trim().parse::<u16>().ok();
            number.filter(|status| (200..=599).contains(status))
        };
        let range = |part: &str| {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            let range = status(from)?..=status(to)?;
            (!range.is_empty()).then_some(range)
        };
        let ranges: Option<Vec<_>> = text.split(',').map(range).collect();
        ranges.map(Self).ok_or_else(|| {
            format!("{text:?} is not a list of statuses from 200 to 599, such as 200,204,301-399")
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::Statuses;

    #[test]
    fn lists_and_ranges_are_read() {
        let statuses: Statuses = "200, 204,301-399".parse().unwrap();
        for (status, is_good) in [
            (200, true),
            (201, false),
            (204, true),
            (300, false),
            (301, true),
            (399, true),
            (400, false),
        ] {
            assert_eq!(statuses.contain(status), is_good, "{status}");
        }
        assert_eq!(statuses.to_string(), "200,204,301-399");
        assert_eq!("200".parse(), Ok(Statuses::default()));
        for text in [
            "", "200,", "2xx", "399-301", "100", "600", "200-", "-200", "200;204", "+200 204",
        ] {
            assert!(text.parse::<Statuses>().is_err(), "{text}");
        }
    }
}
