//! Settings: flags, environment and env files become one checked value, and every fault of a
//! configuration is reported at once.
//!
//! A program declares a struct of [`given::Given`] fields that derives `clap::Args` (its flags,
//! help texts and defaults: the one declaration of a setting) and `serde::Deserialize` (how `envy`
//! fills it from our own map). [`layers`] merges the sources, [`faults`] collects what is wrong,
//! and the program's [`Settings::check`] turns the raw struct into values that can be relied on.
//!
//! ```
//! use action::settings::{Settings, faults::Faults, given::Given, value::Timeout};
//!
//! #[derive(clap::Args, serde::Deserialize, Default)]
//! #[serde(default)]
//! struct Raw {
//!     /// How long to wait for the image.
//!     #[arg(long, value_name = "DURATION", default_value = "6h")]
//!     patience: Given<Timeout>,
//! }
//!
//! struct Checked {
//!     patience: Timeout,
//! }
//!
//! impl Settings for Raw {
//!     type Checked = Checked;
//!     fn check(self, faults: &mut Faults) -> Option<Checked> {
//!         let patience = faults.required("patience", self.patience);
//!         Some(Checked { patience: patience? })
//!     }
//! }
//! ```

pub mod faults;
pub mod given;
pub mod guarded;
pub mod layers;
pub mod secret;
pub mod tags;
pub mod value;
pub mod words;

use faults::Faults;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// A program's settings, as declared; see the module's example.
pub trait Settings: clap::Args + DeserializeOwned {
    /// The settings after checking.
    type Checked;

    /// Checks everything and reports every fault; `None` when there was one that leaves no value.
    /// Look at every field before the first `?`, so that no fault hides another.
    fn check(self, faults: &mut Faults) -> Option<Self::Checked>;

    /// Whether what the program writes to stdout is data that no shell evaluates, by its subcommand and the text
    /// of its setting `format`. A failure then adds no `(exit N)` to the file that the data goes to.
    fn writes_data(_command: Option<&str>, _format: Option<&str>) -> bool {
        false
    }

    /// Whether the program runs in builds, where a later item sources its exports and an earlier phase may have failed.
    /// A program of instances has no settings for these.
    fn runs_in_builds() -> bool {
        true
    }

    /// The fields whose values nobody may read: those of a [`guarded::Guarded`] type.
    fn secrets() -> &'static [&'static str] {
        &[]
    }
}

/// For tests of a program's checks: the raw settings with these fields, by field name, and the
/// declared default of every other, as if they came from variables.
///
/// # Errors
/// When the declaration cannot be read from text.
pub fn over_defaults<S: Settings>(
    fields: impl IntoIterator<Item = (String, String)>,
) -> Result<S, envy::Error> {
    let declared = S::augment_args(clap::Command::new("test"));
    let mut values: BTreeMap<String, String> = declared
        .get_arguments()
        .filter_map(|argument| {
            let default = argument.get_default_values().first()?.to_str()?;
            Some((argument.get_id().to_string(), default.to_owned()))
        })
        .collect();
    values.extend(fields);
    envy::from_iter(values)
}
