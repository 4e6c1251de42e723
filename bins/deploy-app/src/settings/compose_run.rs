//! What is known of Docker Compose before the host is asked.

use action::export::quote::posix as quote;
use action::settings::secret::Secret;

use super::variables::Variables;

/// How Docker Compose runs an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComposeRun {
    /// The project's name: where none was set, a guess until the host was asked.
    pub project: String,
    /// The Compose files in the order in which they override each other, relative to the application. Empty: those that
    /// Compose finds by itself.
    pub files: Vec<String>,
    /// Variables of the build, once its environment was read.
    pub variables: Variables,
}

impl ComposeRun {
    /// Options of `docker compose` that name the files, with a blank behind each; nothing where Compose finds them itself.
    pub(crate) fn file_options(&self) -> String {
        let options = self.files.iter().map(|file| format!("-f {} ", quote(file)));
        options.collect()
    }

    /// The folder that paths in the files are relative to, as Compose has it: that of the first file. Relative to the
    /// application; empty for the application itself.
    pub(crate) fn folder(&self) -> &str {
        let first = self.files.first().and_then(|file| file.rsplit_once('/'));
        first.map_or("", |(folder, _)| folder)
    }

    /// The same below this folder.
    pub(crate) fn project_directory(&self, below: &str) -> String {
        match self.folder() {
            "" => below.to_owned(),
            folder => format!("{below}/{folder}"),
        }
    }
}

/// A registry of images, and where its password is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    /// Its host, with a port where it has one; `docker.io` is Docker Hub.
    pub host: String,
    /// The user to log in as.
    pub user: String,
    /// The name of the variable with the password.
    pub variable: String,
}

/// A registry, and who logs in there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The registry's host.
    pub host: String,
    /// The user.
    pub user: String,
    /// The user's password, or a token in its place.
    pub password: Secret,
}
