//! What a report is about, and who writes it.

use crate::image::wait_available::Verified;
use crate::job::Job;
use crate::scan::outcome::Scanned;

pub(super) const TOOL: &str = env!("CARGO_PKG_NAME");
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(super) struct Subject<'a> {
    pub(super) job: &'a Job,
    pub(super) image: &'a Verified,
    pub(super) scanned: &'a Scanned,
}
