//! One item of `commands` as CodeBuild runs it: a fresh script between a prologue that restores
//! the environment and the directory and an epilogue that saves them.
//!
//! CodeBuild does not document this; AWS's own runner for CodeCatalyst carries the wrapper
//! (<https://github.com/aws/codecatalyst-runner-cli>), and real build logs show the user's first
//! line as line 4 of a script and `CODEBUILD_LAST_EXIT` in the environment. All that surprises
//! in buildspecs follows from it: what `exit` and `exec` lose, why `set -e`, functions and traps do
//! not last, why an assignment without `export` does.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use action::export::quote;

/// The line of the script on which the user's first line stands.
#[cfg(test)]
const FIRST_USER_LINE: usize = 4;

/// The environment and the directory between two items, in files of the build.
#[derive(Debug)]
pub(crate) struct Saved {
    folder: PathBuf,
    shell: String,
}

/// What became of the saved environment during an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Epilogue {
    /// It was saved.
    Ran,
    /// The item ended the shell before (`exit`, `exec`, a syntax error): what it set is lost.
    Lost,
}

impl Saved {
    /// Saves the first environment of a build. The shell itself writes it, as it will later: names that are no shell
    /// identifiers are dropped by it, not by us. `first` is a command up to that shell, with environment and folder;
    /// variables that it cannot be given are read from [`initial`].
    pub(crate) fn begin(folder: &Path, shell: &str, mut first: Command) -> io::Result<Self> {
        let saved = Self {
            folder: folder.to_owned(),
            shell: shell.to_owned(),
        };
        let script = "[ ! -e \"$3\" ] || . \"$3\"; export -p > \"$1\" && pwd > \"$2\"";
        let status = first
            .args(["-c", script, "sh"])
            .arg(saved.environment())
            .arg(saved.directory())
            .arg(initial(folder))
            .stdin(Stdio::null())
            .status()?;
        if status.success() {
            std::fs::copy(saved.environment(), saved.folder.join("first-env.sh"))?;
            std::fs::copy(saved.directory(), saved.folder.join("first-dir.txt"))?;
            Ok(saved)
        } else {
            Err(io::Error::other(format!("{shell} ended with {status}")))
        }
    }

    /// Forgets what earlier items have left, as version 0.1 of a buildspec does.
    pub(crate) fn forget(&self) -> io::Result<()> {
        std::fs::copy(self.folder.join("first-env.sh"), self.environment())?;
        std::fs::copy(self.folder.join("first-dir.txt"), self.directory())?;
        Ok(())
    }

    fn environment(&self) -> PathBuf {
        self.folder.join("env.sh")
    }

    fn directory(&self) -> PathBuf {
        self.folder.join("dir.txt")
    }

    /// The whole script around the user's part.
    pub(crate) fn script(&self, user: &str) -> String {
        let environment = quote::posix(&self.environment().to_string_lossy());
        let directory = quote::posix(&self.directory().to_string_lossy());
        let newline = if user.ends_with('\n') { "" } else { "\n" };
        format!(
            "cd \"$(cat {directory})\"\nset -a\n. {environment}\n{user}{newline}\
             CODEBUILD_LAST_EXIT=$?\nexport -p > {environment}\npwd > {directory}\nexit $CODEBUILD_LAST_EXIT\n"
        )
    }

    /// Writes the script of an item and marks the environment as not saved yet.
    pub(crate) fn prepare(&self, user: &str) -> io::Result<PathBuf> {
        let path = self.folder.join("script.sh");
        std::fs::write(&path, self.script(user))?;
        // The epilogue writes the file anew, and with that its time: no epilogue, old time. The
        // file's text would not tell, since an item may leave the environment as it was.
        File::options()
            .append(true)
            .open(self.environment())?
            .set_modified(before())?;
        Ok(path)
    }

    /// Whether the item that was prepared has saved its environment.
    pub(crate) fn epilogue(&self) -> io::Result<Epilogue> {
        let saved = std::fs::metadata(self.environment())?.modified()?;
        Ok(if saved == before() {
            Epilogue::Lost
        } else {
            Epilogue::Ran
        })
    }

    /// Changes a variable between two items.
    pub(crate) fn set(&self, name: &str, value: &str) -> io::Result<()> {
        let mut file = OpenOptions::new().append(true).open(self.environment())?;
        writeln!(file, "export {name}={}", quote::posix(value))
    }

    /// The values of some variables, as the build's own shell reads them; those that are not set
    /// are absent. Names must be shell identifiers. Only builtins run: the saved `PATH` may be
    /// anything.
    pub(crate) fn read(&self, names: &[String]) -> io::Result<BTreeMap<String, Vec<u8>>> {
        let script = r#". "$1"; shift
for _name; do
  if eval "[ -n \"\${$_name+set}\" ]"; then
    eval "printf '%s\\0%s\\0' \"\$_name\" \"\$$_name\""
  fi
done"#;
        let output = Command::new(&self.shell)
            .args(["-c", script, "sh"])
            .arg(self.environment())
            .args(names)
            .env_clear()
            .stdin(Stdio::null())
            .output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(io::Error::other(format!(
                "{} cannot read the saved environment: {}",
                self.shell,
                said.trim()
            )));
        }
        let mut values = BTreeMap::new();
        let mut parts = output.stdout.split(|byte| *byte == 0);
        while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
            values.insert(String::from_utf8_lossy(name).into_owned(), value.to_vec());
        }
        Ok(values)
    }
}

/// Where the variables of a shell stand that has another environment than ours, such as that of a container.
fn initial(folder: &Path) -> PathBuf {
    folder.join("initial-env.sh")
}

/// Writes them. Names that are no shell identifiers are left out, as a shell does. `bin_dir` goes in front of `PATH`.
pub(crate) fn write_initial(
    folder: &Path,
    variables: &BTreeMap<String, String>,
    bin_dir: Option<&Path>,
) -> io::Result<()> {
    let is_name = |name: &str| {
        let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        starts && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
    };
    let mut text = String::new();
    for (name, value) in variables.iter().filter(|(name, _)| is_name(name)) {
        text.push_str(&format!("export {name}={}\n", quote::posix(value)));
    }
    if let Some(folder) = bin_dir {
        let folder = quote::posix(&folder.to_string_lossy());
        text.push_str(&format!("export PATH={folder}:\"$PATH\"\n"));
    }
    std::fs::write(initial(folder), text)
}

/// A time that no file written now can have.
fn before() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1)
}

#[cfg(test)]
mod tests;
