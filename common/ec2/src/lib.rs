//! EC2 instances as several programs use them.
//!
//! [`find`] looks one up, [`start`] brings it to running, [`console`], [`inbound_rules`] and [`status_checks`]
//! explain it, and [`run_command`] runs a shell command on it through Systems Manager. Errors are typed; each program
//! puts them in its own words.

mod command;
mod describe;
mod find;
mod instance;
mod start;

pub use command::{CommandError, Finished, ShellCommand, run_command};
pub use describe::{console, inbound_rules, status_checks};
pub use find::{FindError, Selector, equals, find};
pub use instance::{State, state, tag};
pub use start::{StartError, StartFault, Starting, start};
