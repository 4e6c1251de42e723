//! Which version of a runtime runs here in place of the one that a buildspec asks CodeBuild's images for.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::build_options::Runtime;

/// How long a program may take to tell its version.
const PATIENCE: Duration = Duration::from_secs(10);

/// The program of a runtime and the argument that has it tell its version.
fn program(runtime: &str) -> Option<(&'static str, &'static str)> {
    match runtime {
        "python" => Some(("python3", "--version")),
        "nodejs" => Some(("node", "--version")),
        "java" => Some(("java", "-version")),
        "ruby" => Some(("ruby", "--version")),
        "golang" => Some(("go", "version")),
        "php" => Some(("php", "--version")),
        "dotnet" => Some(("dotnet", "--version")),
        "docker" => Some(("docker", "--version")),
        _ => None,
    }
}

/// Warns of each runtime that is not what the build would have in CodeBuild. `command` is that of a program where the build
/// runs.
pub(crate) async fn compare(
    runtimes: &[Runtime],
    file: &str,
    command: impl Fn(&str) -> std::process::Command,
) {
    for runtime in runtimes {
        let Runtime {
            name,
            version,
            line,
        } = runtime;
        let found = match program(name) {
            Some((program, argument)) => version_of(command(program), argument).await,
            None => None,
        };
        match found {
            None => tracing::warn!(
                "{file}:{line}: runtime-versions asks for {name} {version}, which is not on PATH"
            ),
            Some(found) if fits(version, &found) => {
                tracing::info!("{file}:{line}: {name} {version} is {found} here");
            }
            Some(found) => tracing::warn!(
                "{file}:{line}: runtime-versions asks for {name} {version}; {found} runs here instead"
            ),
        }
    }
}

async fn version_of(program: std::process::Command, argument: &str) -> Option<String> {
    let asked = Command::from(program)
        .arg(argument)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(PATIENCE, asked).await.ok()?.ok()?;
    if !output.status.success() {
        return None;
    }
    // Java tells it on stderr.
    let said = [output.stdout, output.stderr].concat();
    numbers(&String::from_utf8_lossy(&said))
}

/// The first version number in a text.
fn numbers(text: &str) -> Option<String> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let rest = &text[start..];
    let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'));
    Some(
        rest[..end.unwrap_or(rest.len())]
            .trim_end_matches('.')
            .to_owned(),
    )
}

/// Whether a version is one of those that were asked for: `3.x` and `3` are every 3, `latest` is any.
fn fits(asked: &str, found: &str) -> bool {
    if asked == "latest" {
        return true;
    }
    let Some(asked) = numbers(asked) else {
        return false;
    };
    let mut found = found.split('.');
    asked.split('.').all(|part| found.next() == Some(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_part_by_part() {
        for (asked, found, wanted) in [
            ("3.12", "3.12.4", true),
            ("3.1", "3.12.4", false),
            ("3.x", "3.12.4", true),
            ("corretto17", "17.0.1", true),
            ("18", "20.1.0", false),
            ("latest", "1", true),
            ("$VERSION", "1", false),
        ] {
            assert_eq!(fits(asked, found), wanted, "{asked} {found}");
        }
    }

    #[test]
    fn a_version_is_found_in_what_programs_say() {
        for (said, version) in [
            ("Python 3.11.7\n", "3.11.7"),
            ("v20.1.0", "20.1.0"),
            ("go version go1.22.1 linux/amd64", "1.22.1"),
            ("openjdk version \"17.0.1\" 2021", "17.0.1"),
        ] {
            assert_eq!(numbers(said).as_deref(), Some(version));
        }
    }
}
