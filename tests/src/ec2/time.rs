//! Points in time as EC2 writes them.

use std::time::{Duration, SystemTime};

use jiff::{Timestamp, Unit};

/// Since when anything exists that a test did not date: plausible on every clock.
pub(super) const LONG_AGO: &str = "2020-01-01T00:00:00.000Z";

/// `time` as EC2 writes it: ISO 8601 in UTC with milliseconds.
///
/// # Panics
/// When `time` is outside of the years -9999 to 9999.
pub fn iso(time: SystemTime) -> String {
    let time = Timestamp::try_from(time).expect("a time of our era");
    format!("{time:.3}")
}

/// `text` read and rounded to the nearest minute, as EC2 keeps a deprecation time.
pub(super) fn minute(text: &str) -> Option<SystemTime> {
    let time: Timestamp = text.parse().ok()?;
    Some(time.round(Unit::Minute).ok()?.into())
}

/// EC2's note of a user's stop: `User initiated (2026-01-31 12:00:00 GMT)`.
pub(super) fn user_initiated(time: SystemTime) -> String {
    let text = iso(time);
    format!("User initiated ({} {} GMT)", &text[..10], &text[11..19])
}

/// How far ahead an image may be deprecated: ten years, leap days included.
pub(super) const TEN_YEARS: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_rounded_as_ec2_does() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_042_500);
        assert_eq!(iso(time), "2023-11-14T22:14:02.500Z");
        assert_eq!(
            user_initiated(time),
            "User initiated (2023-11-14 22:14:02 GMT)"
        );
        assert_eq!(
            iso(minute("2023-11-14T22:14:31Z").unwrap()),
            "2023-11-14T22:15:00.000Z"
        );
        assert_eq!(minute("tomorrow"), None);
    }
}
