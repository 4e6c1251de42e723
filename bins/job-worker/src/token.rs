//! The continuation token: what another worker, on another machine, needs to go on with long work.

use serde::{Deserialize, Serialize};

/// The most that CodePipeline takes, in bytes:
/// <https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PutJobSuccessResult.html>.
const LONGEST: usize = 2048;

/// The version of this form.
const VERSION: u8 = 1;

/// What a token says. Times are in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Token {
    #[serde(rename = "v")]
    pub(crate) version: u8,
    /// The program that the work belongs to.
    pub(crate) program: String,
    /// The first job of the action: what names the work, whatever the ids of the jobs that follow.
    pub(crate) origin: String,
    /// When the first job was taken.
    pub(crate) began: i64,
    /// When the next look is worth it.
    pub(crate) due: i64,
    /// How many looks there were.
    pub(crate) looks: u32,
    /// How many looks in a row said that AWS was not available.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) failed: u32,
    /// What is to be done.
    pub(crate) next: Next,
}

/// What the next job has to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Next {
    /// All of it, from the beginning: a program that was stopped adopts what its first try made.
    Again,
    /// A look at what is in the making: the image's id, or nothing where the settings name it.
    Look(Option<String>),
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Why a token cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenFault {
    /// Not one of ours, or damaged.
    #[error("the continuation token is not one of job-worker's")]
    Unreadable,
    /// Of another program.
    #[error("the continuation token belongs to {0}, and this worker runs another program")]
    Program(String),
}

impl Token {
    /// The token of work that begins.
    pub(crate) fn first(program: &str, origin: &str, now: i64) -> Self {
        Self {
            version: VERSION,
            program: program.to_owned(),
            origin: origin.to_owned(),
            began: now,
            due: now,
            looks: 0,
            failed: 0,
            next: Next::Again,
        }
    }

    /// Reads a token.
    ///
    /// # Errors
    /// [`TokenFault`].
    pub(crate) fn read(text: &str, program: &str) -> Result<Self, TokenFault> {
        let token: Self = serde_json::from_str(text).map_err(|_| TokenFault::Unreadable)?;
        if token.version != VERSION {
            return Err(TokenFault::Unreadable);
        }
        if token.program != program {
            return Err(TokenFault::Program(token.program));
        }
        Ok(token)
    }

    /// As CodePipeline keeps it; nothing where it would be too long.
    pub(crate) fn text(&self) -> Option<String> {
        let text = serde_json::to_string(self).ok()?;
        (text.len() <= LONGEST).then_some(text)
    }

    /// What is in the making.
    pub(crate) fn handle(&self) -> Option<&str> {
        match &self.next {
            Next::Look(handle) => handle.as_deref(),
            Next::Again => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::{Next, Token, TokenFault};
    use proptest::prelude::*;

    #[test]
    fn a_token_is_read_back_and_a_foreign_one_is_refused() {
        let mut token = Token::first("make-ami", "11111111-abcd-1111-abcd-111111abcdef", 7);
        token.next = Next::Look(Some("ami-0123456789abcdef0".to_owned()));
        let text = token.text().unwrap();
        assert!(text.len() < 300, "{text}");
        assert_eq!(Token::read(&text, "make-ami"), Ok(token));
        assert_eq!(
            Token::read(&text, "deploy-app"),
            Err(TokenFault::Program("make-ami".to_owned()))
        );
        let newer = text.replace("\"v\":1", "\"v\":2");
        for foreign in ["d-1234", "", "{}", newer.as_str()] {
            assert_eq!(
                Token::read(foreign, "make-ami"),
                Err(TokenFault::Unreadable)
            );
        }
    }

    proptest! {
        #[test]
        fn any_token_survives_the_way(origin in ".{0,60}", began: i64, looks: u32, failed: u32, handle in proptest::option::of(".{0,60}")) {
            let mut token = Token::first("make-ami", &origin, began);
            token.looks = looks;
            token.failed = failed;
            token.next = Next::Look(handle);
            let text = token.text().unwrap();
            prop_assert_eq!(Token::read(&text, "make-ami"), Ok(token));
        }

        #[test]
        fn no_text_panics(text in ".{0,200}") {
            let _ = Token::read(&text, "make-ami");
        }
    }
}
