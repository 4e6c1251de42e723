//! Declared secrets never appear in what the host prints and we repeat.

use action::settings::secret::Secret;

/// Replaces the values of secrets in text.
#[derive(Debug, Clone, Default)]
pub struct Redactor {
    secrets: Vec<Secret>,
}

/// A secret shorter than this, in bytes, would also be found where it is none, and cannot be hidden.
pub const SHORTEST: usize = 6;

impl Redactor {
    /// One that hides these values.
    #[must_use]
    pub fn new(mut secrets: Vec<Secret>) -> Self {
        // A secret that contains another one goes first, or its rest would stay.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.reveal().len()));
        Self { secrets }
    }

    /// The text with `[secret]` for each value.
    #[must_use]
    pub fn hide(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| {
            text.replace(secret.reveal(), "[secret]")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Redactor;

    #[test]
    fn values_are_replaced_the_longest_first() {
        let redactor = Redactor::new(
            ["hunter2", "hunter2!more"]
                .map(|secret| secret.to_owned().into())
                .to_vec(),
        );
        assert_eq!(
            redactor.hide("a=hunter2 b=hunter2!more"),
            "a=[secret] b=[secret]"
        );
    }
}
