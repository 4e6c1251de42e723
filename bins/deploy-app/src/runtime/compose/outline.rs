//! The outline of an application: as much of it as Compose reads to say what it would run. It goes into a folder of its
//! own on the host, which is gone once Compose has answered, so that what is refused is refused before anything is sent.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use bundle::manifest::{Kind, Manifest, Mode};
use filesync::temporary::{TemporaryEntry, TemporaryTree};

use super::service::{self, Service};
use crate::settings::ComposeRun;
use crate::settings::project_name::last_part;
use action::export::quote::posix as quote;
use filesync::{Paths, Tree, is_at};

/// The files that Compose looks for where none is named:
/// <https://docs.docker.com/compose/intro/compose-application-model/#the-compose-file>
const FILES: [&str; 4] = [
    "compose.yaml",
    "compose.yml",
    "docker-compose.yaml",
    "docker-compose.yml",
];

/// What overrides them.
const OVERRIDES: [&str; 4] = [
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
];

/// Where Compose finds variables, `COMPOSE_FILE` among them.
const ENV: &str = ".env";

/// A longer file is none that Compose reads, in bytes.
const LONGEST: u64 = 1024 * 1024;

/// The folder in which an outline lies: a name that nobody gives a project.
pub(crate) const FOLDER: &str = "deploy-app-outline";

/// What Compose made of an outline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Outline {
    /// The project that the files name, or that the host's environment does.
    pub name: Option<String>,
    pub services: Vec<Service>,
}

/// The files from which Compose starts, `files` where some are named, and those that they mention, and so on.
pub(crate) fn outline(
    tree: &Tree,
    sources: &Manifest,
    (shared, target): (&[String], &str),
    files: &[String],
) -> io::Result<TemporaryTree> {
    let mut outline = BTreeMap::new();
    let mut ahead = vec![ENV.to_owned()];
    let first = files.first().and_then(|file| file.rsplit_once('/'));
    ahead.extend(first.map(|(folder, _)| format!("{folder}/{ENV}")));
    match files {
        [] => ahead.extend(FILES.iter().chain(&OVERRIDES).map(ToString::to_string)),
        // `./` or `part/..` is for Compose to read.
        named => ahead.extend(named.iter().filter_map(|file| joined("", file))),
    }
    ahead.extend(shared.iter().cloned());
    let mut seen = BTreeSet::new();
    while let Some(path) = ahead.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        match tree.get(&path) {
            Some(Kind::File { mode, size, .. }) if *size <= LONGEST => {
                let Some(entry) = sources.get(&path) else {
                    continue;
                };
                let content = std::fs::read(&entry.source)?;
                for word in words(&String::from_utf8_lossy(&content)) {
                    ahead.extend(joined(folder, word));
                    ahead.extend(joined("", word));
                }
                let executable = *mode == Mode::Executable;
                outline.insert(
                    path,
                    TemporaryEntry::File {
                        executable,
                        content,
                    },
                );
            }
            Some(Kind::Symlink { target: text }) => {
                let text = match shared.contains(&path) {
                    true => format!("{target}/shared/{path}"),
                    false => text.clone(),
                };
                ahead.extend(joined(folder, &text));
                outline.insert(path, TemporaryEntry::Link { target: text });
            }
            _ => {}
        }
    }
    Ok(outline)
}

/// Why Compose finds no file to start from, in words, and what may have been meant. None where it finds one, or where a
/// file named `.env` may name one.
pub(crate) fn without_file(tree: &Tree, files: &[String]) -> Option<(String, Option<String>)> {
    let fault = if files.is_empty() {
        let finds = FILES.iter().any(|file| tree.contains_key(*file));
        (!finds && !tree.contains_key(ENV))
            .then(|| format!("the application has none of {}", FILES.join(", ")))
    } else {
        let absent = files.iter().find(|file| !has(tree, file));
        absent.map(|file| {
            format!("the application has no file `{file}`, which DEPLOY_APP_COMPOSE_FILE names")
        })
    };
    Some((fault?, alike(tree)))
}

/// Whether a file is in the application, or a link leads on to where it may be.
fn has(tree: &Tree, path: &str) -> bool {
    tree.iter().any(|(known, kind)| match kind {
        Kind::Symlink { .. } => is_at(path, known),
        _ => path == known,
    })
}

/// A file that looks like one of Compose, the nearest to the top.
fn alike(tree: &Tree) -> Option<String> {
    let is_alike = |path: &&String| {
        let name = path.rsplit('/').next().unwrap_or_default();
        let is_yaml = name.ends_with(".yaml") || name.ends_with(".yml");
        is_yaml && name.contains("compose") && !name.contains("override")
    };
    let depth = |path: &&String| path.matches('/').count();
    tree.keys().filter(is_alike).min_by_key(depth).cloned()
}

/// The words of a text that may be paths.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || "\"',:=[]{}".contains(c))
        .filter(|word| !word.is_empty())
}

/// A path as it is meant in a folder; none when it leads out of the application.
fn joined(folder: &str, word: &str) -> Option<String> {
    let mut at: Vec<&str> = Vec::new();
    if word.starts_with('/') {
        return None;
    }
    for part in folder.split('/').chain(word.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(at.pop()?),
            part => at.push(part),
        }
    }
    Some(at.join("/"))
}

/// The file that Compose misses by its own `words`, where the application as it is shipped does not have it.
pub(crate) fn missing(words: &str, tree: &Tree) -> Option<String> {
    let within = format!("/{FOLDER}/");
    let paths = words.split(&within).skip(1).filter_map(|rest| {
        let end = |c: char| c.is_whitespace() || "\"'`:".contains(c);
        joined("", rest.split(end).next()?)
    });
    let is_there = |path: &String| has(tree, path) || tree.keys().any(|known| is_at(known, path));
    paths.into_iter().find(|path| !is_there(path))
}

/// Why Compose did not read an outline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unread {
    /// In its own words.
    pub words: String,
    /// The exit status with which it said so.
    pub status: u32,
}

impl Unread {
    /// Whether it will not read the release either: what the files say is wrong, or the application lacks one of them. An
    /// outline may lack others, since who names them may do so in any way.
    pub(crate) fn is_certain(&self, tree: &Tree) -> bool {
        match self.status {
            15 => true,
            14 => {
                missing(&self.words, tree).is_some() || self.words.contains("no configuration file")
            }
            _ => false,
        }
    }
}

/// Has Compose read the outline in this folder as release `release`, and prints what it made of it.
pub(crate) fn read_script(
    paths: &Paths,
    release: &str,
    compose: &ComposeRun,
    folder: &str,
) -> String {
    let quoted = quote(folder);
    format!(
        "{exports}cd {quoted} && RELEASE_ID={release} RELEASE_DIR={quoted} SHARED_DIR={shared} docker compose \
         {files}--project-directory {directory} --ansi never config --format json </dev/null",
        exports = compose.variables.exports(),
        shared = quote(&format!("{}/shared", paths.target)),
        files = compose.file_options(),
        directory = quote(&compose.project_directory(folder)),
    )
}

/// The name that Compose gives a project whose files name none: that of the folder.
fn unnamed(compose: &ComposeRun) -> String {
    match compose.folder().rsplit('/').next() {
        Some("") | None => FOLDER.to_owned(),
        Some(folder) => last_part(folder),
    }
}

/// Reads what [`read_script`] printed about the outline in this folder.
pub(crate) fn read_outline(
    config: &[u8],
    compose: &ComposeRun,
    (folder, current): (&str, &str),
) -> Result<Outline, String> {
    let services = service::services(config, &[folder, current])?;
    let name = serde_json::from_slice::<serde_json::Value>(config)
        .ok()
        .and_then(|config| config.get("name")?.as_str().map(str::to_owned))
        .filter(|name| *name != unnamed(compose));
    Ok(Outline { name, services })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
    use super::*;
    use crate::settings::Variables;
    use bundle::tree::{Rules, Source};

    #[test]
    fn an_outline_has_what_compose_reads_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for (path, content) in [
            (
                "compose.yaml",
                "include: [part/a.yaml]\nservices: {web: {env_file: \"settings\", command: python main.py}}",
            ),
            (
                "part/a.yaml",
                "services: {db: {extends: {file: ../base.yml, service: b}, env_file: [x.env]}}",
            ),
            ("part/x.env", "A=1"),
            ("base.yml", "services: {b: {image: c}}"),
            ("settings", "B=1"),
            ("other.yaml", "nothing"),
            ("data/big", "rows"),
        ] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let sources =
            bundle::tree::read(&[Source::root(folder.path())], &Rules::default()).unwrap();
        let shared = [".env".to_owned(), "conf/d".to_owned()];
        let tree = filesync::wanted(&sources, &shared).unwrap();
        let found = |files: &[String]| -> Vec<String> {
            let outline = outline(&tree, &sources, (&shared, "/srv/app"), files).unwrap();
            outline
                .into_iter()
                .map(|(path, entry)| match entry {
                    TemporaryEntry::File { .. } => format!("{path} "),
                    TemporaryEntry::Link { target } => format!("{path} {target}"),
                })
                .collect()
        };
        assert_eq!(
            found(&[]),
            [
                ".env /srv/app/shared/.env",
                "base.yml ",
                "compose.yaml ",
                "conf/d /srv/app/shared/conf/d",
                "part/a.yaml ",
                "part/x.env ",
                "settings "
            ]
        );
        // Other files than Compose finds by itself.
        assert_eq!(
            found(&["other.yaml".to_owned()]),
            [
                ".env /srv/app/shared/.env",
                "conf/d /srv/app/shared/conf/d",
                "other.yaml "
            ]
        );
    }

    #[test]
    fn without_a_file_to_start_from_it_is_said_which_may_be_meant() {
        let tree = |paths: &[&str]| -> Tree {
            let file = Kind::EmptyDir;
            let entries = paths.iter().map(|path| ((*path).to_owned(), file.clone()));
            entries.collect()
        };
        let named = |files: &[&str]| files.iter().map(ToString::to_string).collect::<Vec<_>>();
        for (paths, files, is_fine) in [
            (&["compose.yml"][..], &[][..], true),
            (&["main.py"], &[], false),
            (&["main.py", ".env"], &[], true),
            (&["deploy/prod.yaml"], &["deploy/prod.yaml"], true),
            (&["compose.yaml"], &["compose.yaml", "prod.yaml"], false),
        ] {
            let fault = without_file(&tree(paths), &named(files));
            assert_eq!(fault.is_none(), is_fine, "{paths:?} {files:?} {fault:?}");
        }
        let meant = |paths| without_file(&tree(paths), &[]).unwrap().1;
        let all = [
            "a/b/compose.yaml",
            "docker-compose.prod.yml",
            "compose.override.yaml",
        ];
        assert_eq!(meant(&all).as_deref(), Some("docker-compose.prod.yml"));
        assert_eq!(meant(&["main.py"]), None);
    }

    #[test]
    fn a_file_that_compose_misses_is_found_in_its_words() {
        let link = Kind::Symlink {
            target: "/etc/app".to_owned(),
        };
        let tree: Tree = ["compose.yaml", "part/a.yaml", "conf"]
            .map(|path| (path.to_owned(), link.clone()))
            .into();
        for (words, path) in [
            (
                "env file IN/.env not found: stat IN/.env: no such file",
                Some(".env"),
            ),
            (
                "open IN/part/b.yaml: no such file or directory",
                Some("part/b.yaml"),
            ),
            ("couldn't find env file: IN/part/.env", Some("part/.env")),
            ("env file IN/conf/app.env not found", None),
            ("validating IN/compose.yaml: services.app is wrong", None),
            ("stat IN/part: is a directory", None),
            ("yaml: line 3: did not find expected key", None),
        ] {
            let words = words.replace("IN", &format!("/tmp/tmp.Xy/{FOLDER}"));
            assert_eq!(missing(&words, &tree).as_deref(), path, "{words}");
        }
    }

    #[test]
    fn a_name_is_the_files_own_and_never_that_of_the_folder() {
        let told = |name: &str, files: &[&str]| {
            let printed = format!(
                "{{\"name\":\"{name}\",\"services\":{{\"db\":{{\"volumes\":[{{\"type\":\"bind\",\"source\":\"/tmp/d/{FOLDER}/data\",\"target\":\"/data\"}}]}}}}}}\n"
            );
            let folder = format!("/tmp/d/{FOLDER}");
            let compose = run(files);
            read_outline(printed.as_bytes(), &compose, (&folder, "/srv/app/current")).unwrap()
        };
        assert_eq!(told("shop", &[]).name.as_deref(), Some("shop"));
        assert_eq!(told(FOLDER, &[]).name, None);
        assert_eq!(told("shop", &[]).services[0].binds[0].path, "data");
        // The folder of the first file names the project where nothing else does.
        let files = ["ops/Deploy/compose.yaml", "other.yaml"];
        assert_eq!(told("deploy", &files).name, None);
        assert_eq!(told("shop", &files).name.as_deref(), Some("shop"));
        assert!(read_outline(b"", &run(&[]), ("/tmp/d", "")).is_err());
    }

    fn run(files: &[&str]) -> ComposeRun {
        ComposeRun {
            project: "app".to_owned(),
            files: files.iter().map(ToString::to_string).collect(),
            variables: Variables::default(),
        }
    }

    #[test]
    fn what_is_wrong_for_certain_is_known_by_the_status() {
        let tree: Tree = [("there.env".to_owned(), Kind::EmptyDir)].into();
        let certain = |status, words: &str| {
            let words = words.replace("IN", &format!("/tmp/d/{FOLDER}"));
            Unread { words, status }.is_certain(&tree)
        };
        assert!(certain(
            15,
            "validating IN/compose.yaml: services.a is wrong"
        ));
        assert!(certain(14, "no configuration file provided: not found"));
        assert!(certain(14, "env file IN/gone.env not found"));
        assert!(!certain(14, "env file IN/there.env not found"));
        assert!(!certain(14, "env file /srv/shared/app.env not found"));
        assert!(!certain(1, "Cannot connect to the Docker daemon"));
    }
}
