//! What the snapshots of an image cost: a figure before, from the volumes' sizes, and one after, from
//! what was stored. Pure; money is counted in millionths of a US dollar.
//!
//! Snapshots are billed per GB-month of stored blocks, and only for blocks that changed since the
//! volume's previous snapshot: <https://repost.aws/knowledge-center/ebs-snapshot-billing>.

pub(crate) mod snapshot_usage;

use crate::settings::values::Price;
use std::fmt;
use std::time::Duration;

/// EBS counts a GB as 2^30 bytes.
pub(crate) const GIB: u64 = 1 << 30;
/// AWS's month in bills: 730 hours.
pub(crate) const MONTH: Duration = Duration::from_secs(730 * 3600);

/// When the list of prices was written down.
pub(crate) const PRICES_OF: &str = "2026-11";
/// List prices of the standard tier, in millionths of a US dollar per GB-month. us-east-1 is the figure
/// of the EBS guide's examples; the others are unproven against the live list, which
/// <https://aws.amazon.com/ebs/pricing/> shows. A Region that is not listed counts as us-east-1.
const LIST_PRICES: [(&str, u64); 5] = [
    ("us-east-1", 50_000),
    ("us-east-2", 50_000),
    ("us-west-2", 50_000),
    ("eu-west-1", 50_000),
    ("eu-central-1", 54_000),
];

/// A price, and whether it is known to be this Region's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) price: Price,
    /// Where it comes from, in words.
    pub(crate) source: String,
}

impl Rate {
    /// The price that was given, or the Region's list price.
    pub(crate) fn of(region: &str, given: Option<Price>) -> Self {
        if let Some(price) = given {
            return Self {
                price,
                source: "as MAKE_AMI_PRICE says".to_owned(),
            };
        }
        let listed = LIST_PRICES.iter().find(|(name, _)| *name == region);
        match listed {
            Some((_, micros)) => Self {
                price: Price(*micros),
                source: format!("list price of {region}, {PRICES_OF}"),
            },
            None => Self {
                price: Price(LIST_PRICES[0].1),
                source: format!(
                    "list price of us-east-1, {PRICES_OF}; that of {region} may differ: MAKE_AMI_PRICE"
                ),
            },
        }
    }
}

/// An amount of money, in millionths of a US dollar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Usd(pub u64);

/// What so many bytes cost for so long.
pub(crate) fn of(bytes: u64, price: Price, time: Duration) -> Usd {
    let product = u128::from(bytes) * u128::from(price.0) * time.as_millis();
    let per = u128::from(GIB) * MONTH.as_millis();
    Usd(u64::try_from(product.div_ceil(per)).unwrap_or(u64::MAX))
}

impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Below a cent two decimals would say nothing.
        if self.0 < 10_000 && self.0 > 0 {
            return write!(f, "${}.{:04}", self.0 / 1_000_000, self.0 % 1_000_000 / 100);
        }
        let cents = self.0.saturating_add(5_000) / 10_000;
        write!(f, "${}.{:02}", cents / 100, cents % 100)
    }
}

/// What is stored, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Stored {
    /// The sum of the volumes' sizes, in bytes.
    pub(crate) volumes: u64,
    /// The written blocks of all snapshots: what the image would cost without earlier snapshots.
    pub(crate) full: Option<u64>,
    /// The blocks that changed since the volumes' previous snapshots: what is billed.
    pub(crate) changed: Option<u64>,
}

/// The line before: an upper bound.
pub(crate) fn before(volumes: u64, rate: &Rate, kept: Duration) -> String {
    format!(
        "cost: at most {} a month, {} for {} ({} of volumes, {}, as if every block were written and no earlier snapshot existed)",
        of(volumes, rate.price, MONTH),
        of(volumes, rate.price, kept),
        span(kept),
        gib(volumes),
        rate.source
    )
}

/// The line after: what is stored and billed.
pub(crate) fn after(stored: &Stored, rate: &Rate, kept: Duration) -> String {
    let (bytes, what) = match (stored.changed, stored.full) {
        (Some(changed), full) => {
            let full = full.map_or_else(String::new, |full| format!(", of {} in full", gib(full)));
            (
                changed,
                format!(
                    "{} changed since the previous snapshots{full}",
                    gib(changed)
                ),
            )
        }
        (None, Some(full)) => (full, format!("{} written; an upper bound", gib(full))),
        (None, None) => (
            stored.volumes,
            format!("{} of volumes; an upper bound", gib(stored.volumes)),
        ),
    };
    format!(
        "cost: {} a month, {} for {} ({what}; {})",
        of(bytes, rate.price, MONTH),
        of(bytes, rate.price, kept),
        span(kept),
        rate.source
    )
}

/// What both lines leave out: a copy has snapshots of its own, in full the first time, and its data are billed
/// once more as transfer between Regions (<https://aws.amazon.com/ebs/pricing/>). Empty without copies.
pub(crate) fn of_copies(copies: usize) -> String {
    match copies {
        0 => String::new(),
        n => format!(
            "; not counted: {n} {} of it, whose storage costs about as much in {} Region, and the transfer there",
            if n == 1 { "copy" } else { "copies" },
            if n == 1 { "its" } else { "each" },
        ),
    }
}

/// `30 days`, `2 hours`; what is neither, as humantime writes it.
fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let (number, unit) = match seconds {
        86_400.. if seconds.is_multiple_of(86_400) => (seconds / 86_400, "day"),
        3_600.. if seconds.is_multiple_of(3_600) => (seconds / 3_600, "hour"),
        _ => return humantime::format_duration(time).to_string(),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

/// Bytes in GiB, with one decimal below 100.
pub(crate) fn gib(bytes: u64) -> String {
    let tenths = (u128::from(bytes) * 10).div_ceil(u128::from(GIB));
    if tenths >= 1000 || tenths % 10 == 0 {
        format!("{} GiB", tenths.div_ceil(10))
    } else {
        format!("{}.{} GiB", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::{GIB, MONTH, Rate, Stored, Usd, after, before, gib, of};
    use crate::settings::values::Price;
    use std::time::Duration;

    const FIVE_CENTS: Price = Price(50_000);

    #[test]
    fn the_figure_of_the_project_1710_gb_for_two_hours_is_23_cents() {
        let cost = of(1_710 * GIB, FIVE_CENTS, Duration::from_secs(2 * 3600));
        assert_eq!(cost.to_string(), "$0.23");
        assert_eq!(of(1_710 * GIB, FIVE_CENTS, MONTH).to_string(), "$85.50");
    }

    #[test]
    fn small_amounts_are_not_rounded_away() {
        assert_eq!(Usd(200).to_string(), "$0.0002");
        assert_eq!(Usd(0).to_string(), "$0.00");
        assert_eq!(Usd(9_999).to_string(), "$0.0099");
        assert_eq!(Usd(u64::MAX).to_string().chars().next(), Some('$'));
    }

    #[test]
    fn the_price_is_the_given_one_or_the_listed_one_or_said_to_be_assumed() {
        assert_eq!(Rate::of("eu-central-1", None).price, Price(54_000));
        assert_eq!(Rate::of("eu-central-1", Some(Price(1))).price, Price(1));
        assert!(Rate::of("sa-east-1", None).source.contains("may differ"));
    }

    #[test]
    fn lines_say_what_they_rest_on() {
        let rate = Rate::of("us-east-1", None);
        let month = Duration::from_secs(30 * 86_400);
        assert!(
            before(8 * GIB, &rate, month)
                .starts_with("cost: at most $0.40 a month, $0.39 for 30 days")
        );
        let stored = Stored {
            volumes: 8 * GIB,
            full: Some(3 * GIB),
            changed: Some(GIB / 2),
        };
        assert!(
            after(&stored, &rate, month)
                .contains("0.5 GiB changed since the previous snapshots, of 3 GiB in full")
        );
        let unknown = Stored {
            changed: None,
            ..stored
        };
        assert!(after(&unknown, &rate, month).contains("3 GiB written; an upper bound"));
    }

    #[test]
    fn sizes_are_rounded_up() {
        assert_eq!(gib(1), "0.1 GiB");
        assert_eq!(gib(150 * GIB + 1), "151 GiB");
        assert_eq!(gib(8 * GIB), "8 GiB");
    }
}
