//! The outline of an application: as much of it as Compose reads to say what it would run. It goes into a folder of its
//! own on the host, which is gone once Compose has answered, so that what is refused is refused before anything is sent.

use std::collections::BTreeSet;
use std::io::{self, Write};

use bundle::manifest::{Kind, Manifest};
use bundle::names::bytes;
use tar::{EntryType, Header};

use super::service::{self, Service};
use action::export::quote::posix as quote;
use filesync::{Paths, Tree, is_at};

/// The files that Compose starts from:
/// <https://docs.docker.com/compose/intro/compose-application-model/#the-compose-file>
const ROOTS: [&str; 9] = [
    "compose.yaml",
    "compose.yml",
    "docker-compose.yaml",
    "docker-compose.yml",
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
    ".env",
];

/// A longer file is none that Compose reads, in bytes.
const LONGEST: u64 = 1024 * 1024;

/// The folder in which an outline lies: a name that nobody gives a project.
const FOLDER: &str = "deploy-app-outline";

/// What Compose made of an outline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Outline {
    /// The project that the files name, or that the host's environment does.
    pub name: Option<String>,
    pub services: Vec<Service>,
}

/// A tar archive of the files from which Compose starts, and of those that they mention, and so on.
pub(crate) fn outline(
    tree: &Tree,
    sources: &Manifest,
    (shared, target): (&[String], &str),
) -> io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut ahead: Vec<String> = ROOTS.iter().map(ToString::to_string).collect();
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
                let mut header = header(EntryType::Regular, mode.bits());
                header.set_size(content.len() as u64);
                tar.append_data(&mut header, bytes::to_path(&path), content.as_slice())?;
                for word in words(&String::from_utf8_lossy(&content)) {
                    ahead.extend(joined(folder, word));
                    ahead.extend(joined("", word));
                }
            }
            Some(Kind::Symlink { target: text }) => {
                let text = match shared.contains(&path) {
                    true => format!("{target}/shared/{path}"),
                    false => text.clone(),
                };
                ahead.extend(joined(folder, &text));
                let mut header = header(EntryType::Symlink, 0o777);
                let (name, text) = (bytes::to_path(&path), bytes::to_bytes(&text));
                link(&mut tar, &mut header, &name, &text)?;
            }
            _ => {}
        }
    }
    tar.into_inner()
}

/// Without a time: the host's clock tells it there.
fn header(kind: EntryType, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    header
}

/// Appends a link with exactly this text. The library's own way would tidy the
/// text (`a/./b` becomes `a/b`), and then the released link would not be the one of the tree.
fn link<W: Write>(
    tar: &mut tar::Builder<W>,
    header: &mut Header,
    name: &std::path::Path,
    target: &[u8],
) -> io::Result<()> {
    if target.len() < 100 {
        header.set_link_name_literal(target)?;
    } else {
        let mut long = Header::new_gnu();
        let name = b"././@LongLink";
        long.as_old_mut().name[..name.len()].copy_from_slice(name);
        long.set_entry_type(EntryType::GNULongLink);
        long.set_mode(0o644);
        long.set_uid(0);
        long.set_gid(0);
        long.set_mtime(0);
        long.set_size(target.len() as u64 + 1);
        long.set_cksum();
        tar.append(&long, [target, b"\0"].concat().as_slice())?;
    }
    tar.append_data(header, name, io::empty())
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
    let is_there = |path: &String| {
        tree.iter().any(|(known, kind)| {
            let leads_on = matches!(kind, Kind::Symlink { .. }) && is_at(path, known);
            leads_on || is_at(known, path)
        })
    };
    paths.into_iter().find(|path| !is_there(path))
}

/// Has Compose read the outline on standard input as release `release`; prints what it made of it.
pub(super) fn script(paths: &Paths, release: &str) -> String {
    format!(
        r#"echo '== outline'; umask 077; d=$(mktemp -d) || exit 1; trap 'rm -rf "$d"' EXIT; trap 'exit 1' HUP INT TERM
d=$(cd "$d" && pwd -P); mkdir "$d/{FOLDER}" && cd "$d/{FOLDER}" && tar -xf - || exit 1; echo "$PWD"
RELEASE_ID={release} RELEASE_DIR=$PWD SHARED_DIR={shared} docker compose --project-directory "$PWD" --ansi never config --format json </dev/null 2>"$d/words" ||
{{ echo '== failed'; cat "$d/words"; }}"#,
        shared = quote(&format!("{}/shared", paths.target)),
    )
}

/// Reads what follows the mark in what `script` prints: the folder, and the configuration.
pub(crate) fn read_outline(printed: &str, current: &str) -> Result<Outline, String> {
    let (_, told) = printed.split_once("== outline\n").unwrap_or_default();
    let (folder, config) = told.split_once('\n').unwrap_or_default();
    if let Some((_, words)) = config.split_once("== failed\n") {
        return Err(words.trim().to_owned());
    }
    let services = service::services(config.as_bytes(), &[folder, current])?;
    let name = serde_json::from_str::<serde_json::Value>(config)
        .ok()
        .and_then(|config| config.get("name")?.as_str().map(str::to_owned))
        .filter(|name| name != FOLDER);
    Ok(Outline { name, services })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
    use super::*;
    use bundle::tree::{Rules, Source};
    use std::collections::BTreeMap;

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
        let tar = outline(&tree, &sources, (&shared, "/srv/app")).unwrap();
        let mut found = BTreeMap::new();
        for entry in tar::Archive::new(tar.as_slice()).entries().unwrap() {
            let entry = entry.unwrap();
            let name = entry.path().unwrap().display().to_string();
            let link = entry.link_name().unwrap();
            found.insert(
                name,
                link.map_or_else(String::new, |link| link.display().to_string()),
            );
        }
        let found: Vec<String> = found
            .into_iter()
            .map(|(name, link)| format!("{name} {link}"))
            .collect();
        assert_eq!(
            found,
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
        let told = |name: &str| {
            let printed = format!(
                "x\n== outline\n/tmp/d/{FOLDER}\n{{\"name\":\"{name}\",\"services\":{{\"db\":{{\"volumes\":[{{\"type\":\"bind\",\"source\":\"/tmp/d/{FOLDER}/data\",\"target\":\"/data\"}}]}}}}}}\n"
            );
            read_outline(&printed, "/srv/app/current").unwrap()
        };
        assert_eq!(told("shop").name.as_deref(), Some("shop"));
        assert_eq!(told(FOLDER).name, None);
        assert_eq!(told("shop").services[0].binds[0].path, "data");
        assert!(read_outline("== outline\n/tmp/d\n", "").is_err());
        assert!(read_outline("", "").is_err());
        let failed = read_outline("== outline\n/tmp/d\n== failed\nno such file\n", "");
        assert_eq!(failed, Err("no such file".to_owned()));
    }
}
