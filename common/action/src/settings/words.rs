//! Settings that choose one of a few words.

/// Declares an enum that is read from, and written as, one word for each of its variants. A text that is none of them is
/// answered with all of them.
///
/// ```
/// action::words! {
///     /// How fast it goes.
///     #[derive(Default)]
///     pub enum Pace: "a pace" {
///         /// As fast as it can.
///         #[default]
///         Fast = "fast",
///         /// Slower.
///         Slow = "slow",
///     }
/// }
/// assert_eq!("slow".parse(), Ok(Pace::Slow));
/// assert_eq!(Pace::Slow.to_string(), "slow");
/// assert_eq!("sluw".parse::<Pace>(), Err("\"sluw\" is not a pace; use fast or slow".to_owned()));
/// ```
#[macro_export]
macro_rules! words {
    ($(#[$about:meta])* $visible:vis enum $name:ident: $what:literal {
        $($(#[$doc:meta])* $variant:ident = $word:literal,)+
    }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $visible enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl ::std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok($name::$variant),)+
                    _ => Err($crate::settings::words::unknown(text, $what, &[$($word),+])),
                }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(match self {
                    $($name::$variant => $word,)+
                })
            }
        }
    };
}

/// The fault of a text that is none of these words.
#[doc(hidden)]
#[must_use]
pub fn unknown(text: &str, what: &str, words: &[&str]) -> String {
    let words = match words {
        [before @ .., last] if !before.is_empty() => format!("{} or {last}", before.join(", ")),
        words => words.concat(),
    };
    format!("{text:?} is not {what}; use {words}")
}
