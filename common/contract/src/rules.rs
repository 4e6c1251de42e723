//! The rules that have a file of their own: what each is, an example that breaks it and one that keeps it, and
//! the code that finds it.

use crate::rule::{Example, Rule};

macro_rules! rules {
    ($($module:ident)*) => {
        $(pub mod $module;)*
        pub(crate) static ALL: &[&Rule] = &[$(&$module::RULE),*];
        /// A failing and a passing example of each.
        pub static EXAMPLES: &[&Example] = &[$(&$module::EXAMPLE),*];
    };
}

rules! {
    yaml_alias
}
