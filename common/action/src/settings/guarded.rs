//! Settings that may hold a secret: keys, tokens, commands, addresses with a password.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// An error that says why a text was refused and cannot hold the text.
pub trait WithoutValue: fmt::Display {}

impl WithoutValue for &'static str {}
impl WithoutValue for Infallible {}

/// The value of a setting that may hold a secret. It cannot be printed, and neither can what was refused: a
/// type whose error may repeat the text does not fit here.
///
/// ```compile_fail
/// use action::settings::{given::Given, guarded::Guarded, value::Timeout};
/// let _: Given<Guarded<Timeout>> = "hunter2".parse().unwrap();
/// ```
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Guarded<T>(T);

impl<T> Guarded<T> {
    /// The value, for who checks it and uses it.
    #[must_use]
    pub fn reveal(self) -> T {
        self.0
    }
}

impl<T: FromStr<Err: WithoutValue>> FromStr for Guarded<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        text.parse().map(Self)
    }
}

impl<T> fmt::Debug for Guarded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::Guarded;
    use crate::settings::given::Given;
    use std::str::FromStr;

    #[derive(Debug)]
    struct Even;

    impl FromStr for Even {
        type Err = &'static str;

        fn from_str(text: &str) -> Result<Self, &'static str> {
            let is_even = text.len().is_multiple_of(2);
            is_even.then_some(Self).ok_or("not even")
        }
    }

    #[test]
    fn neither_what_is_taken_nor_what_is_refused_can_be_printed() {
        let taken: Result<Given<Guarded<Even>>, _> = "hunter".parse();
        assert_eq!(format!("{taken:?}"), "Ok(Value(***))");
        let refused: Result<Given<Guarded<Even>>, _> = "hunter2".parse();
        assert_eq!(format!("{refused:?}"), "Ok(Fault(\"not even\"))");
    }
}
