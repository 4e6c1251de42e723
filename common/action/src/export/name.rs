//! Names that reach the next action, and those that do not.

use std::collections::BTreeSet;
use std::sync::LazyLock;

/// The longest name that every consumer takes: a Commands action's output variable,
/// <https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-Commands.html>.
pub const MAX_NAME_BYTES: usize = 128;

/// Names that change how later commands of a build run.
const STEERING: [&str; 13] = [
    "PATH",
    "HOME",
    "IFS",
    "ENV",
    "BASH_ENV",
    "SHELLOPTS",
    "BASHOPTS",
    "PS4",
    "PWD",
    "OLDPWD",
    "CDPATH",
    "SHELL",
    "PROMPT_COMMAND",
];

/// Names that a shell keeps for itself: it refuses the assignment, or hands on another value. Of dash,
/// bash, busybox, zsh and ksh at least one does so with each; those in small letters are zsh's.
const OF_SHELLS: &str = "\
    ARGC BASHPID BASH_ALIASES BASH_ARGC BASH_ARGV BASH_CMDS BASH_COMMAND BASH_LINENO BASH_SOURCE \
    BASH_SUBSHELL BASH_VERSINFO DIRSTACK EGID EPOCHREALTIME EPOCHSECONDS ERRNO EUID FUNCNAME GID \
    GROUPS HISTCMD KSH_VERSION LINENO OPTIND PPID RANDOM SECONDS SHLVL SRANDOM TRY_BLOCK_ERROR \
    TRY_BLOCK_INTERRUPT TTYIDLE UID USERNAME ZSH_EVAL_CONTEXT ZSH_SUBSHELL _ aliases argv builtins \
    cdpath commands dirstack dis_aliases dis_builtins dis_functions dis_galiases dis_patchars \
    dis_reswords fignore fpath funcfiletrace funcsourcetrace funcstack functions functrace \
    galiases history historywords jobdirs jobstates jobtexts keymaps mailpath manpath module_path \
    modules nameddirs options parameters patchars path pipestatus psvar reswords saliases signals \
    status termcap terminfo userdirs usergroups watch widgets zsh_eval_context";

/// Why a name cannot be exported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    /// CodeBuild would drop it without a word.
    #[error(
        "{0:?}: not a shell variable name; CodeBuild would drop it silently (allowed: letters, digits, _, not a digit first)"
    )]
    NotAnIdentifier(String),
    /// Longer than [`MAX_NAME_BYTES`].
    #[error(
        "{0:?}…: {1} characters; a CodePipeline output variable's name has at most {MAX_NAME_BYTES}"
    )]
    TooLong(String, usize),
    /// CodeBuild does not export `AWS_` names.
    #[error("{0:?}: CodeBuild does not export names that start with AWS_")]
    Aws(String),
    /// Reserved by CodeBuild.
    #[error("{0:?}: reserved by CodeBuild; it may be passed on, not set")]
    CodeBuild(String),
    /// It would change how later commands run.
    #[error("{0:?}: would change how later commands run")]
    Steering(String),
    /// A shell has it for itself.
    #[error(
        "{0:?}: the shell reserves this name: it refuses the assignment, or later commands see another value"
    )]
    OfShell(String),
}

/// Whether `name` is a shell identifier: `[A-Za-z_][A-Za-z0-9_]*`.
#[must_use]
pub fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether setting `name` changes how later commands of the build run.
#[must_use]
pub fn is_steering(name: &str) -> bool {
    STEERING.contains(&name) || name.starts_with("LD_") || name.starts_with("BASH_FUNC_")
}

/// The names that a shell keeps for itself.
pub fn of_shells() -> impl Iterator<Item = &'static str> {
    OF_SHELLS.split(' ')
}

/// Checks that `name` can be set by a program and read by CodePipeline.
///
/// # Errors
/// [`NameFault`], in words for the person who chose the name.
pub fn check(name: &str) -> Result<(), NameFault> {
    if !is_identifier(name) {
        return Err(NameFault::NotAnIdentifier(name.to_owned()));
    }
    if name.len() > MAX_NAME_BYTES {
        let shown = name.chars().take(24).collect();
        return Err(NameFault::TooLong(shown, name.len()));
    }
    if name.starts_with("AWS_") {
        return Err(NameFault::Aws(name.to_owned()));
    }
    if name.starts_with("CODEBUILD_") {
        return Err(NameFault::CodeBuild(name.to_owned()));
    }
    if is_steering(name) {
        return Err(NameFault::Steering(name.to_owned()));
    }
    static KEPT: LazyLock<BTreeSet<&str>> = LazyLock::new(|| of_shells().collect());
    if KEPT.contains(name) {
        return Err(NameFault::OfShell(name.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn says_why_a_name_cannot_travel() {
        let said = |name: &str| check(name).err().map(|fault| fault.to_string());
        assert_eq!(said("AMI_ID"), None);
        assert_eq!(said("_x9"), None);
        for (name, part) in [
            ("AMI-ID", "not a shell variable name"),
            ("9A", "not a shell variable name"),
            ("", "not a shell variable name"),
            ("A;touch x", "not a shell variable name"),
            ("ÄMI", "not a shell variable name"),
            ("AWS_REGION", "does not export names that start with AWS_"),
            ("CODEBUILD_X", "reserved by CodeBuild"),
            ("PATH", "would change how later commands run"),
            ("LD_PRELOAD", "would change how later commands run"),
            ("UID", "the shell reserves this name"),
            ("_", "the shell reserves this name"),
        ] {
            let said = said(name).unwrap_or_default();
            assert!(said.contains(part), "{name}: {said}");
        }
        assert!(
            said(&"A".repeat(129))
                .unwrap_or_default()
                .contains("129 characters")
        );
    }
}
