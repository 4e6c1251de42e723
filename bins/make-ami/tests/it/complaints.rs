//! One test for each complaint of users of the field's other tools, named after what went wrong
//! there and where it was told. Each shows what happens here instead.

mod copies;
mod failed;
mod names;
mod no_reboot;
mod not_found;
mod orphans;
mod throttling;
mod waiting;
mod wrong_image;

use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
