//! Values that can be an environment variable at all.

/// Linux's limit for one environment string, `NAME=value` with its end, in bytes
/// (`MAX_ARG_STRLEN`, 32 pages): one longer variable and every later command of the build dies
/// with "Argument list too long".
pub const MAX_STRING_BYTES: usize = 131_072;

/// Why a value cannot be exported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueFault {
    /// The C strings of an environment end at a NUL.
    #[error("value holds a NUL byte at offset {offset}; an environment variable cannot")]
    Nul {
        /// Where, in bytes.
        offset: usize,
    },
    /// See [`MAX_STRING_BYTES`].
    #[error(
        "{bytes} bytes: later commands in this build would fail with \"Argument list too long\" (limit {MAX_STRING_BYTES} with the name)"
    )]
    TooLong {
        /// The value's size.
        bytes: usize,
    },
}

/// Checks that `NAME=value` can be in an environment.
///
/// # Errors
/// [`ValueFault`]. The value itself is never part of the message.
pub fn check(name: &str, value: &str) -> Result<(), ValueFault> {
    if let Some(offset) = value.bytes().position(|byte| byte == 0) {
        return Err(ValueFault::Nul { offset });
    }
    if name.len() + 1 + value.len() + 1 > MAX_STRING_BYTES {
        return Err(ValueFault::TooLong { bytes: value.len() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{MAX_STRING_BYTES, ValueFault, check};

    #[test]
    fn the_kernel_bound_is_exact() {
        let longest = "x".repeat(MAX_STRING_BYTES - 3);
        assert_eq!(check("A", &longest), Ok(()));
        assert!(matches!(
            check("A", &format!("{longest}x")),
            Err(ValueFault::TooLong { .. })
        ));
    }

    #[test]
    fn nul_is_named_with_its_place() {
        assert_eq!(check("A", "ab\0c"), Err(ValueFault::Nul { offset: 2 }));
    }
}
