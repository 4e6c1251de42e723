//! An env file as python-dotenv and Docker Compose read it, and a POSIX shell where that is possible.

use crate::variable::Variable;
use action::env_file::spelling::{self, Reader};
use action::failure::Failure;

/// One assignment a variable, quoted only where it has to be.
pub fn render(variables: &[Variable]) -> Result<String, Failure> {
    let mut text = String::new();
    for Variable { name, value, .. } in variables {
        let line = spelled(name, value).ok_or_else(|| {
            Failure::refused(format!("cannot write {name} into an env file"))
                .hint("--format docker writes values raw, --format json any value")
        })?;
        text.push_str(&line);
        text.push('\n');
    }
    Ok(text)
}

/// Whether there is a way to write the value that python-dotenv and Compose read alike.
pub fn check(name: &str, value: &str) -> Result<(), String> {
    match spelled(name, value) {
        Some(_) => Ok(()),
        None => Err(
            "python-dotenv and Compose read every spelling of it in different ways; write it without `${` and control characters"
                .to_owned(),
        ),
    }
}

fn spelled(name: &str, value: &str) -> Option<String> {
    let with_shell = [Reader::Compose, Reader::Dotenv, Reader::Shell];
    spelling::of(name, value, &with_shell)
        .or_else(|| spelling::of(name, value, &[Reader::Compose, Reader::Dotenv]))
}
