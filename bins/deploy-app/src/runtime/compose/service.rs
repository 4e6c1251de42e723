//! The services of a Compose project: what each is made of, and what becomes of it. Pure.

use serde_json::Value;

/// A service of a project, as `docker compose config --format json` gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Service {
    pub name: String,
    /// The image that it runs.
    pub image: String,
    /// The folder that the image is built from, relative to the release; empty for the release itself.
    /// None when the image is not built here.
    pub context: Option<String>,
    /// Whether Compose pulls or builds the image whenever it starts the service, although it is there.
    pub renews: bool,
    /// When the image is pulled.
    pub pulls: Pulls,
    /// Folders in the container that outlive it.
    pub volumes: Vec<String>,
    /// Files and folders of the release that are mounted into its containers.
    pub binds: Vec<Bind>,
    /// Where Ollama keeps its models, if the service says so.
    pub ollama_models: Option<String>,
    /// Ports that are published on the host.
    pub ports: Vec<u16>,
    /// Its whole configuration, without the folder of the release: equal when nothing changed.
    pub configuration: String,
}

/// When the image of a service is pulled: <https://docs.docker.com/reference/compose-file/services/#pull_policy>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pulls {
    /// Whenever the service is started.
    Always,
    /// When it is not on the host.
    Missing,
    /// Not at all.
    Never,
}

/// A file or folder of the release that a container sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bind {
    /// Its path in the release; empty for the release itself.
    pub path: String,
    /// Where the container sees it.
    pub target: String,
    /// Whether the container may write there.
    pub writable: bool,
    /// The named volume that it is the device of.
    pub volume: Option<String>,
}

/// Reads the services of a project. `folders` are the absolute paths of its release, its own folder first.
pub(crate) fn services(config: &[u8], folders: &[&str]) -> Result<Vec<Service>, String> {
    let config: Value = serde_json::from_slice(config)
        .map_err(|error| format!("cannot read the configuration that Compose printed: {error}"))?;
    let services = config
        .get("services")
        .and_then(Value::as_object)
        .ok_or("Compose's configuration names no services")?;
    let project = config.get("name").and_then(Value::as_str);
    let folder = folders.first().copied().unwrap_or_default();
    Ok(services
        .iter()
        .map(|(name, service)| {
            let list = |key: &str| {
                service
                    .get(key)
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten()
            };
            let context = service
                .get("build")
                .and_then(|build| text(build.get("context")))
                .and_then(|context| below(&context, folders));
            Service {
                name: name.clone(),
                image: text(service.get("image"))
                    .unwrap_or_else(|| format!("{}-{name}", project.unwrap_or_default())),
                renews: text(service.get("pull_policy")).is_some_and(|policy| {
                    !matches!(policy.as_str(), "missing" | "if_not_present" | "never")
                }),
                pulls: match text(service.get("pull_policy")).as_deref() {
                    Some("always") => Pulls::Always,
                    Some("never" | "build") => Pulls::Never,
                    _ => Pulls::Missing,
                },
                context: context.or_else(|| service.get("build").map(|_| String::new())),
                volumes: list("volumes")
                    .filter(|volume| volume.get("type").and_then(Value::as_str) != Some("tmpfs"))
                    .filter_map(|volume| text(volume.get("target")))
                    .collect(),
                binds: list("volumes")
                    .filter_map(|volume| bind(volume, &config, folders))
                    .collect(),
                ollama_models: service
                    .get("environment")
                    .and_then(|environment| text(environment.get("OLLAMA_MODELS"))),
                ports: list("ports")
                    .filter_map(|port| match port.get("published")? {
                        Value::String(text) => text.parse().ok(),
                        number => u16::try_from(number.as_u64()?).ok(),
                    })
                    .collect(),
                configuration: service.to_string().replace(folder, ""),
            }
        })
        .collect())
}

fn text(value: Option<&Value>) -> Option<String> {
    value.and_then(Value::as_str).map(str::to_owned)
}

/// The path of a source in the release, where it lies there.
fn below(source: &str, folders: &[&str]) -> Option<String> {
    folders.iter().find_map(|folder| {
        let rest = source.strip_prefix(folder)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_matches('/').to_owned())
    })
}

/// What a volume of a service shows of the release: a bind mount, or a named volume whose device lies there.
fn bind(volume: &Value, config: &Value, folders: &[&str]) -> Option<Bind> {
    let source = text(volume.get("source"))?;
    let is_read_only = volume.get("read_only").and_then(Value::as_bool) == Some(true);
    let target = text(volume.get("target")).unwrap_or_default();
    match volume.get("type").and_then(Value::as_str)? {
        "bind" => Some(Bind {
            path: below(&source, folders)?,
            target,
            writable: !is_read_only,
            volume: None,
        }),
        "volume" => {
            let options = config.get("volumes")?.get(&source)?.get("driver_opts")?;
            let device = text(options.get("device"))?;
            let is_bind = text(options.get("o"))?
                .split(',')
                .any(|option| option == "bind");
            // Not every version makes it absolute.
            let relative = device.strip_prefix("./").map(str::to_owned);
            Some(Bind {
                path: relative.or_else(|| below(&device, folders))?,
                target,
                writable: is_bind,
                volume: Some(source),
            })
        }
        _ => None,
    }
}

/// What a deployment does to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Touched {
    /// Its files changed: the image is built anew, from the cache as far as that goes.
    Rebuilt,
    /// Its configuration changed.
    Restarted,
    /// It mounts files of the release, which lie in another folder in each release.
    Mounts,
    /// It is new.
    Started,
    /// It is not in the new release.
    Removed,
    /// Nothing.
    Left,
}

impl std::fmt::Display for Touched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Rebuilt => "rebuilt and restarted, because files of it change",
            Self::Restarted => "restarted, because its configuration changes",
            Self::Mounts => {
                "restarted, because it mounts files of the release, which lie elsewhere in each release"
            }
            Self::Started => "started",
            Self::Removed => "removed",
            Self::Left => "left alone",
        })
    }
}

/// What becomes of each service when `changed` paths change and the configuration becomes `after`.
/// `moves` is whether the new release runs in another folder than the old one: the absolute path of a mount
/// is part of what Compose compares.
pub(crate) fn touched<'a>(
    before: &[Service],
    after: &[Service],
    moves: bool,
    changed: impl Iterator<Item = &'a str> + Clone,
) -> Vec<(String, Touched)> {
    let mut all: Vec<(String, Touched)> = after
        .iter()
        .map(|service| {
            let old = before.iter().find(|old| old.name == service.name);
            let is_in = |context: &String| {
                changed.clone().any(|path| {
                    context.is_empty()
                        || path
                            .strip_prefix(context.as_str())
                            .is_some_and(|rest| rest.starts_with('/'))
                })
            };
            let touched = match old {
                None => Touched::Started,
                Some(_) if service.context.as_ref().is_some_and(is_in) => Touched::Rebuilt,
                Some(old) if old.configuration != service.configuration => Touched::Restarted,
                Some(_) if moves && !service.binds.is_empty() => Touched::Mounts,
                Some(_) => Touched::Left,
            };
            (service.name.clone(), touched)
        })
        .collect();
    all.extend(
        before
            .iter()
            .filter(|old| !after.iter().any(|new| new.name == old.name))
            .map(|old| (old.name.clone(), Touched::Removed)),
    );
    all
}

/// The service that is Ollama: the one that publishes the port, or runs an image of that name.
pub(crate) fn ollama(services: &[Service], port: u16) -> Option<&Service> {
    services
        .iter()
        .find(|service| service.ports.contains(&port))
        .or_else(|| {
            services.iter().find(|service| {
                let name = service.image.rsplit('/').next().unwrap_or_default();
                name == "ollama" || name.starts_with("ollama:")
            })
        })
}

/// Whether what the service pulls outlives its container.
pub(crate) fn keeps_models(service: &Service) -> bool {
    let models = service
        .ollama_models
        .as_deref()
        .unwrap_or("/root/.ollama/models");
    service.volumes.iter().any(|volume| {
        let volume = volume.trim_end_matches('/');
        models == volume
            || models
                .strip_prefix(volume)
                .is_some_and(|rest| rest.starts_with('/'))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
    use super::*;

    /// As Compose 2.29 prints it, shortened.
    const CONFIG: &str = r#"{"name":"app","services":{
        "api":{"build":{"context":"/srv/app/releases/r/api","dockerfile":"Dockerfile"},"environment":{"A":"1"},
               "volumes":[{"type":"bind","source":"/srv/app/releases/r/conf","target":"/conf"}]},
        "ollama":{"image":"ollama/ollama","ports":[{"mode":"ingress","target":11434,"published":"11434","protocol":"tcp"}],
               "volumes":[{"type":"volume","source":"models","target":"/root/.ollama","volume":{}}]}}}"#;

    fn read(config: &str) -> Vec<Service> {
        services(config.as_bytes(), &["/srv/app/releases/r"]).unwrap()
    }

    #[test]
    fn services_are_read() {
        let services = read(CONFIG);
        assert_eq!(services[0].image, "app-api");
        assert_eq!(services[0].context.as_deref(), Some("api"));
        assert!(services[0].configuration.contains("\"/conf\""));
        let ollama = ollama(&services, 11434).unwrap();
        assert_eq!(ollama.name, "ollama");
        assert!(keeps_models(ollama));
        assert!(super::services(b"<html>", &["/"]).is_err());
    }

    #[test]
    fn models_in_the_container_are_not_kept() {
        for (volumes, models, kept) in [
            (&["/root/.ollama/"][..], None, true),
            (&["/root"][..], None, true),
            (&["/root/.ollama"][..], Some("/models"), false),
            (&["/models"][..], Some("/models"), true),
            (&["/root/.olla"][..], None, false),
            (&[][..], None, false),
        ] {
            let service = Service {
                volumes: volumes.iter().map(ToString::to_string).collect(),
                ollama_models: models.map(str::to_owned),
                ..read(CONFIG)[1].clone()
            };
            assert_eq!(keeps_models(&service), kept, "{volumes:?}");
        }
    }

    #[test]
    fn only_what_changed_is_touched() {
        let before = read(CONFIG);
        let touched = |after: &str, changed: &[&str], moves: bool| {
            let after = services(
                after.replace("/r/", "/s/").as_bytes(),
                &["/srv/app/releases/s"],
            );
            super::touched(&before, &after.unwrap(), moves, changed.iter().copied())
                .into_iter()
                .map(|(name, touched)| format!("{name} {touched:?}"))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            touched(CONFIG, &["README.md", "apiary"], false),
            ["api Left", "ollama Left"]
        );
        assert_eq!(
            touched(CONFIG, &["README.md"], true),
            ["api Mounts", "ollama Left"]
        );
        assert_eq!(
            touched(CONFIG, &["api/main.py"], true),
            ["api Rebuilt", "ollama Left"]
        );
        assert_eq!(
            touched(&CONFIG.replace("\"A\":\"1\"", "\"A\":\"2\""), &[], true),
            ["api Restarted", "ollama Left"]
        );
        assert_eq!(
            touched(&CONFIG.replace("\"ollama\":{", "\"llm\":{"), &[], false),
            ["api Left", "llm Started", "ollama Removed"]
        );
    }
}
