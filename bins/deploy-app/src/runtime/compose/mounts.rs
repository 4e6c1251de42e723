//! What containers would lose: what they write below the release goes with it, and with what they see there of a shared
//! path they see nothing. Pure.

use bundle::manifest::Kind;

use super::service::Service;
use filesync::Tree;

/// The release whose mounts are looked at, and what is said of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mounts<'a> {
    /// The files and links of the release.
    pub tree: &'a Tree,
    /// Paths that outlive releases.
    pub shared: &'a [String],
    /// Paths where nothing is kept.
    pub ephemeral: &'a [String],
}

/// What is wrong with a mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A container may write there, and what it writes is not kept.
    Lost {
        service: String,
        /// The path in the release; empty for all of it.
        path: String,
    },
    /// A container wrote to a file of the release that runs.
    Written {
        /// The path in the release.
        path: String,
    },
    /// A named volume has a folder of the release for its device, and goes on having that of the first release.
    Device {
        volume: String,
        /// The path in the release.
        path: String,
    },
    /// A container sees a shared path as a link that leads nowhere.
    Dangling {
        service: String,
        /// The shared path.
        shared: String,
        /// Where the container looks for it.
        target: String,
    },
}

impl Mounts<'_> {
    /// Everything that is wrong.
    pub(crate) fn faults(&self, services: &[Service]) -> Vec<Fault> {
        let mut faults = Vec::new();
        for service in services {
            for bind in &service.binds {
                let Some(path) = self.resolved(&bind.path) else {
                    continue;
                };
                let fault = match &bind.volume {
                    Some(volume) => Some(Fault::Device {
                        volume: volume.clone(),
                        path,
                    }),
                    None if bind.writable && self.is_lost(&path) => Some(Fault::Lost {
                        service: service.name.clone(),
                        path,
                    }),
                    None => None,
                };
                faults.extend(fault);
                for shared in self.shared {
                    let Some(rest) = shared.strip_prefix(bind.path.as_str()) else {
                        continue;
                    };
                    let rest = match rest.strip_prefix('/') {
                        Some(rest) => rest,
                        None if bind.path.is_empty() => rest,
                        None => continue,
                    };
                    let target = format!("{}/{rest}", bind.target.trim_end_matches('/'));
                    if !service.volumes.contains(&target) {
                        faults.push(Fault::Dangling {
                            service: service.name.clone(),
                            shared: shared.clone(),
                            target,
                        });
                    }
                }
            }
        }
        faults
    }

    /// Files of the application that a container may write to, each mounted by itself. They are taken for
    /// configuration, as most of them are, until one is found altered.
    pub(crate) fn single_files(&self, services: &[Service]) -> Vec<String> {
        let binds = services.iter().flat_map(|service| &service.binds);
        binds
            .filter(|bind| bind.writable)
            .filter_map(|bind| self.resolved(&bind.path))
            .filter(|path| self.is_file(path) && !self.is_ephemeral(path))
            .collect()
    }

    fn is_lost(&self, path: &str) -> bool {
        !self.is_file(path) && !self.is_ephemeral(path)
    }

    fn is_file(&self, path: &str) -> bool {
        matches!(self.tree.get(path), Some(Kind::File { .. }))
    }

    fn is_ephemeral(&self, path: &str) -> bool {
        let mut all = self.ephemeral.iter();
        all.any(|at| at.is_empty() || filesync::is_at(path, at))
    }

    /// Where a path of the release leads, link by link; nowhere when that is out of it, as a shared path is.
    fn resolved(&self, path: &str) -> Option<String> {
        let mut ahead: Vec<String> = path.rsplit('/').map(str::to_owned).collect();
        let (mut at, mut links) = (Vec::new(), 0);
        while let Some(part) = ahead.pop() {
            match part.as_str() {
                "" | "." => {}
                ".." => drop(at.pop()?),
                _ => {
                    at.push(part);
                    if let Some(Kind::Symlink { target }) = self.tree.get(&at.join("/")) {
                        links += 1;
                        if links > 40 || target.starts_with('/') {
                            return None;
                        }
                        at.pop();
                        ahead.extend(target.rsplit('/').map(str::to_owned));
                    }
                }
            }
        }
        Some(at.join("/"))
    }
}

/// What is wrong, line by line, and what to do: the very settings.
pub(crate) fn told(
    faults: &[Fault],
    shared: &[String],
    ephemeral: &[String],
) -> (Vec<String>, Vec<String>) {
    let (mut lines, mut hints) = (Vec::new(), Vec::new());
    let (mut keep, mut lose) = (shared.to_vec(), ephemeral.to_vec());
    let (mut is_lost, mut is_whole) = (false, false);
    for fault in faults {
        lines.push(match fault {
            Fault::Lost { service, path } if path.is_empty() => {
                (is_whole, is_lost) = (true, true);
                lose.push(path.clone());
                format!("the service {service} may write to `.`, the whole release: what it writes there would go with the release")
            }
            Fault::Lost { service, path } => {
                is_lost = true;
                keep.push(path.clone());
                lose.push(path.clone());
                format!("the service {service} may write to `./{path}`, which is another folder in each release: what it writes there would go with the release")
            }
            Fault::Written { path } => {
                is_lost = true;
                keep.push(path.clone());
                lose.push(path.clone());
                format!("`./{path}` was changed on the host, and a container may write to it: the next release would have it as it is here")
            }
            Fault::Device { volume, path } => {
                hints.push(format!(
                    "volume {volume}: leave out its driver_opts, or write device: ${{SHARED_DIR}}/{path}"
                ));
                format!("the volume {volume} lies in `./{path}` of the release, and would go with it")
            }
            Fault::Dangling { service, shared, target } => {
                hints.push(format!("service {service}: add the volume ./{shared}:{target}"));
                format!("the service {service} sees the shared path `{shared}` as a link that leads out of its container, to nothing")
            }
        });
    }
    if keep.len() > shared.len() {
        hints.push(format!(
            "to keep what is written: {}",
            setting("SHARED", keep)
        ));
    }
    if is_lost {
        hints.push(format!(
            "where nothing is to be kept: {}",
            setting("EPHEMERAL", lose)
        ));
        hints.push(if is_whole {
            "data in `.` belongs in a volume, or in a folder that has a mount of its own and is named in DEPLOY_APP_SHARED".to_owned()
        } else {
            "where nothing is written: mount it with :ro".to_owned()
        });
    }
    (lines, hints)
}

/// A setting with these paths, for a shell.
fn setting(name: &str, mut paths: Vec<String>) -> String {
    paths.sort();
    paths.dedup();
    let words: Vec<String> = paths
        .iter()
        .map(|path| match path.is_empty() {
            true => ".".to_owned(),
            false
                if path
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte)) =>
            {
                path.clone()
            }
            false => action::export::quote::posix(path),
        })
        .collect();
    match words.as_slice() {
        [one] => format!("DEPLOY_APP_{name}={one}"),
        several => format!(
            "DEPLOY_APP_{name}=\"$(printf '%s\\n' {})\"",
            several.join(" ")
        ),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
    use super::*;
    use bundle::digest::Digest;
    use bundle::manifest::Mode;

    const FOLDER: &str = "/srv/app/releases/r";

    fn tree(shared: &[&str]) -> Tree {
        let file = Kind::File {
            mode: Mode::Plain,
            size: 1,
            sha256: Digest::of(b"1"),
        };
        let link = |target: &str| Kind::Symlink {
            target: target.to_owned(),
        };
        let mut tree: Tree = ["conf/app.ini", "data/.gitkeep", "nginx.conf"]
            .into_iter()
            .map(|path| (path.to_owned(), file.clone()))
            .collect();
        tree.insert("inside".to_owned(), link("data"));
        for path in shared {
            tree.retain(|known, _| !filesync::is_at(known, path));
            tree.insert((*path).to_owned(), link(&filesync::shared_link(path)));
        }
        tree
    }

    /// The faults of one service with these volumes, in words.
    fn found(volumes: &str, shared: &[&str], ephemeral: &[&str]) -> Vec<String> {
        let config = format!(
            r#"{{"services":{{"web":{{"volumes":[{volumes}]}}}},"volumes":{{"v":{{"driver_opts":{{"type":"none","o":"bind","device":"{FOLDER}/data"}}}},"named":{{}}}}}}"#
        );
        let services =
            super::super::services(config.as_bytes(), &[FOLDER, "/srv/app/current"]).unwrap();
        let owned = |paths: &[&str]| paths.iter().map(ToString::to_string).collect::<Vec<_>>();
        let (tree, shared, ephemeral) = (tree(shared), owned(shared), owned(ephemeral));
        let mounts = Mounts {
            tree: &tree,
            shared: &shared,
            ephemeral: &ephemeral,
        };
        let mut found: Vec<String> = mounts
            .faults(&services)
            .into_iter()
            .map(|fault| match fault {
                Fault::Lost { path, .. } => format!("lost {path}"),
                Fault::Device { volume, path } => format!("device {volume} {path}"),
                Fault::Written { path } => format!("written {path}"),
                Fault::Dangling { shared, target, .. } => format!("dangling {shared} {target}"),
            })
            .collect();
        let singles = mounts.single_files(&services);
        found.extend(singles.into_iter().map(|path| format!("single {path}")));
        found
    }

    fn bind(source: &str, more: &str) -> String {
        format!(r#"{{"type":"bind","source":"{source}","target":"/t"{more}}}"#)
    }

    #[test]
    fn what_a_container_may_write_below_the_release_is_lost_unless_it_is_named() {
        let at = |path: &str| bind(&format!("{FOLDER}{path}"), "");
        for (path, lost) in [
            ("", "lost "),
            ("/data", "lost data"),
            ("/data/sub", "lost data/sub"),
            ("/conf", "lost conf"),
            ("/uploads", "lost uploads"),
            ("/inside/sub", "lost data/sub"),
            ("/nginx.conf", "single nginx.conf"),
        ] {
            assert_eq!(found(&at(path), &[], &[]), [lost]);
            let read_only = bind(&format!("{FOLDER}{path}"), ",\"read_only\":true");
            assert_eq!(found(&read_only, &[], &[]), [""; 0], "{path}");
            assert_eq!(found(&at(path), &[], &[""]), [""; 0], "{path}");
        }
        assert_eq!(
            found(&bind("/srv/app/current/data", ""), &[], &[]),
            ["lost data"]
        );
        for elsewhere in [
            "/srv/app/releases/rest",
            "/var/lib/app",
            "/srv/app/shared/data",
        ] {
            assert_eq!(found(&bind(elsewhere, ""), &[], &[]), [""; 0]);
        }
        assert_eq!(found(&at("/data"), &["data"], &[]), [""; 0]);
        assert_eq!(found(&at("/data/sub"), &["data"], &[]), [""; 0]);
        assert_eq!(found(&at("/inside"), &["data"], &[]), [""; 0]);
        assert_eq!(found(&at("/conf"), &["data"], &["con"]), ["lost conf"]);
        assert_eq!(found(&at("/conf/x"), &[], &["conf"]), [""; 0]);
    }

    #[test]
    fn a_volume_whose_device_lies_in_the_release_is_lost() {
        let volume = |name: &str| format!(r#"{{"type":"volume","source":"{name}","target":"/t"}}"#);
        assert_eq!(found(&volume("v"), &[], &[""]), ["device v data"]);
        assert_eq!(found(&volume("named"), &[], &[]), [""; 0]);
    }

    #[test]
    fn a_shared_path_below_a_mount_needs_one_of_its_own() {
        let whole = bind(FOLDER, ",\"read_only\":true");
        assert_eq!(found(&whole, &["data"], &[]), ["dangling data /t/data"]);
        let both =
            format!(r#"{whole},{{"type":"bind","source":"{FOLDER}/data","target":"/t/data"}}"#);
        assert_eq!(found(&both, &["data"], &[]), [""; 0]);
        assert_eq!(
            found(&bind(&format!("{FOLDER}/dat"), ""), &["data"], &["dat"]),
            [""; 0]
        );
    }

    #[test]
    fn the_line_that_is_needed_is_told() {
        let lost = |path: &str| Fault::Lost {
            service: "db".to_owned(),
            path: path.to_owned(),
        };
        let (_, hints) = told(&[lost("data")], &[], &[]);
        assert!(hints[0].ends_with(": DEPLOY_APP_SHARED=data"), "{hints:?}");
        assert!(
            hints[1].ends_with(": DEPLOY_APP_EPHEMERAL=data"),
            "{hints:?}"
        );
        let (_, hints) = told(&[lost("data"), lost("my data")], &["up".to_owned()], &[]);
        let several = r#"DEPLOY_APP_SHARED="$(printf '%s\n' data 'my data' up)""#;
        assert!(hints[0].ends_with(several), "{hints:?}");
        let (_, hints) = told(&[lost("")], &[], &[]);
        assert!(hints[0].ends_with(": DEPLOY_APP_EPHEMERAL=."), "{hints:?}");
    }
}
