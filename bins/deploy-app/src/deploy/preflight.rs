//! What is found before anything is sent: whose the Compose project is, what containers would lose, and what there is of
//! the shared paths.

use action::exit::Exit;
use action::failure::Failure;
use action::wait::Limits;
use filesync::{Layout, Operation, SEEDS, SharedPath, Tree, What, is_at, temporary};

use super::application::Application;
use super::compare::{self, Compared};
use crate::host::Remote;
use crate::host::state::State;
use crate::runtime::compose::{self, Engine, Fault, Mounts, Outline, Project, Service, Unread};
use crate::runtime::run_spec::RunSpec;
use crate::runtime::start;
use crate::settings::{Checked, ComposeRun, Run};
use action::export::quote::posix as quote;
use filesync::release::next_name;
use ssh::{OutputMode, Stdin};

/// The settings with the project that is known without asking Docker: the one that was set, or that the target has had.
pub(super) fn settled(settings: &Checked, state: &State) -> Checked {
    let had = state.had_project(settings);
    match (&settings.run, settings.project.clone().or(had)) {
        (Run::Compose(_), Some(project)) => settings.as_project(&project),
        _ => settings.clone(),
    }
}

/// What was found.
#[derive(Debug)]
pub(super) struct Ahead {
    /// The settings with the project that the application runs as.
    pub(super) settings: Checked,
    /// What Compose makes of the application; why it could not, else.
    pub(super) outline: Result<Outline, Unread>,
    /// Ports that it publishes and that others have, in words.
    pub(super) taken: Vec<String>,
}

/// Looks ahead; changes nothing.
pub(super) async fn look(
    remote: &Remote<'_>,
    application: &Application,
    compared: &Compared,
    limits: &Limits,
) -> Result<Ahead, Failure> {
    let (settings, state) = (remote.settings, &compared.state);
    shared_paths(remote, application, state, limits).await?;
    let mut ahead = Ahead {
        settings: settings.clone(),
        outline: Ok(Outline::default()),
        taken: Vec::new(),
    };
    if compare::commands(remote).project().is_none() {
        return Ok(ahead);
    }
    if let Some(back) = state.fallback("") {
        for name in state.run_spec(back, settings).missing_secrets() {
            tracing::warn!(
                "release {back}, which comes back when this one fails, was run with the secret {name}, which is not kept: name it in DEPLOY_APP_COMPOSE_VARIABLE and in DEPLOY_APP_SECRET, and set it"
            );
        }
    }
    let paths = &settings.paths;
    let release = next_name(&application.release, &state.releases);
    let asked = async {
        let (deed, script) = ("look at Docker's projects", compose::engine(paths));
        remote.script(deed, &script, Stdin::Empty, limits).await
    };
    let read = outline(remote, application, &release, limits);
    let (engine, outline) = tokio::try_join!(asked, read)?;
    ahead.outline = outline;
    let named = ahead.outline.as_ref().map(|outline| outline.name.clone());
    let had = state.had_project(settings);
    let set = settings.project.as_deref();
    if let Err(unread) = &ahead.outline {
        let is_known = set.is_some() || had.is_some();
        let deed = match is_known {
            true => "Compose cannot read the application's files",
            false => "cannot find out which Compose project the application is",
        };
        if !is_known || unread.is_certain(&application.wanted) {
            return Err(Failure::refused(format!("{deed}; nothing was touched"))
                .cause(&unread.words)
                .hint(match compose::missing(&unread.words, &application.wanted) {
                    Some(path) => to_bring(settings, application, &path),
                    None if is_known => "correct the Compose file".to_owned(),
                    None => "correct the Compose file, or set DEPLOY_APP_PROJECT".to_owned(),
                }));
        }
    }
    let named = named.ok().flatten();
    let project = Project {
        set,
        had: had.as_deref(),
        named: named.as_deref(),
        target: &paths.target,
    };
    let printed = String::from_utf8_lossy(&engine.stdout);
    let project = chosen(remote, project, &Engine::parse(&printed))?;
    if let (None, Some(named)) = (set, named.filter(|named| *named != project)) {
        tracing::warn!(
            "the Compose file names the project {named}, and this target has run as {project} so far: it goes on so, with the volumes of {project}; DEPLOY_APP_PROJECT={named} changes it"
        );
    } else if had.is_none() {
        tracing::info!("the Compose project is {project}");
    }
    if let Ok(outline) = &ahead.outline {
        check_mounts(settings, &application.wanted, &outline.services)?;
        check_single_files(remote, application, compared, &outline.services, limits).await?;
        let runs = state
            .current_name()
            .map(|it| state.run_spec(it, settings).run);
        // What runs by commands of its own is stopped before.
        if !matches!(runs, Some(Run::Command { .. })) {
            ahead.taken = start::owners(remote, &project, &outline.services, limits).await;
        }
    }
    ahead.settings = settings.as_project(&project);
    Ok(ahead)
}

/// What Compose on the host makes of the application, before anything of it is sent.
async fn outline(
    remote: &Remote<'_>,
    application: &Application,
    release: &str,
    limits: &Limits,
) -> Result<Result<Outline, Unread>, Failure> {
    let settings = remote.settings;
    let Run::Compose(run) = &settings.run else {
        return Ok(Ok(Outline::default()));
    };
    let paths = &settings.paths;
    let shared = (settings.shared.as_slice(), paths.target.as_str());
    let tree = compose::outline(
        &application.wanted,
        &application.sources,
        shared,
        &run.files,
    );
    let refused = || Failure::refused("cannot read the Compose files; nothing was touched");
    let tree = tree.map_err(|error| refused().cause(error))?;
    let tree = temporary::to_bytes(&tree).map_err(|error| refused().cause(error))?;
    let deed = "have Compose read the application's files";
    let make = Operation::MakeTemporary {
        name: compose::FOLDER.to_owned(),
    };
    let folder: String = remote
        .files_of(deed, make, Stdin::Bytes(tree), limits)
        .await?;
    let script = compose::read_script(paths, release, run, &folder);
    let read = remote
        .session
        .exec(&script, Stdin::Empty, OutputMode::Nothing, limits)
        .await;
    // What is left goes with the agent.
    let removed = remote.files::<()>(deed, Operation::RemoveTemporary, limits);
    let removed = removed.await;
    let output = read.map_err(|error| remote.no_result(deed, &error))?;
    removed?;
    let unread = |words: String| Unread {
        words,
        status: output.status,
    };
    if output.status != 0 {
        return Ok(Err(unread(output.tail.join("\n").trim().to_owned())));
    }
    let current = paths.current_folder();
    Ok(compose::read_outline(&output.stdout, run, (&folder, &current)).map_err(unread))
}

/// How a file that the Compose files name comes to the host.
fn to_bring(settings: &Checked, application: &Application, path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_here = application.sources.get(path).is_some();
    let ship = match (is_here, name.starts_with(".env")) {
        (true, _) => format!("DEPLOY_APP_INCLUDE={path} ships it"),
        (false, true) => format!(
            "it is not in the application here, or is in .deployignore: put it there, and DEPLOY_APP_INCLUDE={path} ships it"
        ),
        (false, false) => {
            "it is not in the application here, or is in .deployignore: put it there".to_owned()
        }
    };
    let target = &settings.paths.target;
    let on_host = match settings.paths.layout {
        Layout::Releases => {
            format!(
                "DEPLOY_APP_SHARED={path} uses the one that lies on the host, as {target}/shared/{path}"
            )
        }
        Layout::InPlace => {
            format!("where it lies on the host, as {target}/{path}, set DEPLOY_APP_PROJECT")
        }
    };
    format!("{ship}; {on_host}; each setting takes one path a line")
}

fn chosen(remote: &Remote<'_>, project: Project<'_>, engine: &Engine) -> Result<String, Failure> {
    compose::choose(project, engine).map_err(|taken| {
        Failure::refused(format!(
            "the Compose project {} on {} {}; nothing was touched",
            taken.project, remote.shown, taken.by
        ))
        .hint(taken.hint)
    })
}

/// Refuses to run as a project that is another target's.
pub(super) async fn is_ours(
    remote: &Remote<'_>,
    run_spec: &RunSpec,
    limits: &Limits,
) -> Result<(), Failure> {
    let Run::Compose(ComposeRun { project, .. }) = &run_spec.run else {
        return Ok(());
    };
    let paths = &remote.settings.paths;
    let script = compose::engine(paths);
    let output = remote
        .script("look at Docker's projects", &script, Stdin::Empty, limits)
        .await?;
    let engine = Engine::parse(&String::from_utf8_lossy(&output.stdout));
    let project = Project {
        set: Some(project),
        had: None,
        named: None,
        target: &paths.target,
    };
    chosen(remote, project, &engine).map(drop)
}

/// Refuses mounts by which something would be lost with the release.
pub(super) fn check_mounts(
    settings: &Checked,
    tree: &Tree,
    services: &[Service],
) -> Result<(), Failure> {
    if settings.paths.layout == Layout::InPlace {
        return Ok(());
    }
    let faults = mounts(settings, tree).faults(services);
    if faults.is_empty() {
        return Ok(());
    }
    Err(lost(settings, &faults))
}

const fn mounts<'a>(settings: &'a Checked, tree: &'a Tree) -> Mounts<'a> {
    Mounts {
        tree,
        shared: settings.shared.as_slice(),
        ephemeral: settings.ephemeral.as_slice(),
    }
}

fn lost(settings: &Checked, faults: &[Fault]) -> Failure {
    let (lines, hints) = compose::told(faults, &settings.shared, &settings.ephemeral);
    let deed = "containers may write into the release, and what they write would be lost with it";
    let failure = lines
        .into_iter()
        .chain(hints)
        .fold(Failure::refused(deed), Failure::detail);
    failure.hint("say for each path which it is; what runs was not touched")
}

/// Refuses to replace a single file that a container was let to write to, and did.
async fn check_single_files(
    remote: &Remote<'_>,
    application: &Application,
    compared: &Compared,
    services: &[Service],
    limits: &Limits,
) -> Result<(), Failure> {
    let settings = remote.settings;
    let singles = mounts(settings, &application.wanted).single_files(services);
    let Some(current) = &compared.state.current else {
        return Ok(());
    };
    if singles.is_empty() || settings.paths.layout == Layout::InPlace {
        return Ok(());
    }
    let operation = Operation::Faults {
        release: current.name.clone(),
        only: Some(singles),
    };
    let deed = "look at files that containers may write to";
    let found: Option<Vec<filesync::Fault>> = remote.files(deed, operation, limits).await?;
    let faults: Vec<Fault> = found
        .into_iter()
        .flatten()
        .filter(|fault| fault.what == What::Content)
        .map(|fault| Fault::Written { path: fault.path })
        .collect();
    if faults.is_empty() {
        return Ok(());
    }
    Err(lost(settings, &faults))
}

fn paths_of(settings: &Checked, release: &str) -> String {
    format!(
        "{}/{}",
        settings.paths.target,
        settings.paths.stored(release)
    )
}

/// Refuses shared paths that cannot be carried over, and files that shall be shared and are not there.
async fn shared_paths(
    remote: &Remote<'_>,
    application: &Application,
    state: &State,
    limits: &Limits,
) -> Result<(), Failure> {
    let settings = remote.settings;
    if settings.shared.is_empty() {
        return Ok(());
    }
    let (paths, current) = (&settings.paths, state.current_name());
    let operation = Operation::LookAtShared {
        shared: settings.shared.clone(),
        current: current.map(str::to_owned),
    };
    let there: Vec<SharedPath> = remote
        .files("look at the shared paths", operation, limits)
        .await?;
    for (path, there) in settings.shared.iter().zip(there) {
        match there {
            SharedPath::Closed => {
                let current = format!("{}/{path}", paths_of(settings, current.unwrap_or_default()));
                let new = format!("{}/shared/{path}", paths.target);
                let (from, to) = (quote(&current), quote(&new));
                let parent = quote(new.rsplit_once('/').map_or("", |(parent, _)| parent));
                return Err(Failure::new(
                    Exit::NotPermitted,
                    format!("cannot carry `{path}` over to the shared paths on {}; nothing was touched", remote.shown),
                )
                .cause(format!(
                    "{} may not move {current}, or it lies on another disk than {new} would",
                    settings.acts_as()
                ))
                .hint(format!(
                    "on the host, while the application is stopped: sudo mkdir -p {parent} && sudo mv {from} {to} && sudo ln -s {to} {from}"
                )));
            }
            SharedPath::There | SharedPath::Carried => {}
            SharedPath::Missing if is_folder(settings, path) || brings(application, path) => {}
            SharedPath::Missing => {
                return Err(Failure::refused(format!(
                    "the shared path `{path}` is not on {}; nothing was touched",
                    remote.shown
                ))
                .cause("a name with a dot is taken for a file, and what is in it is not known here")
                .hint(format!(
                    "lay the file there, as {}/shared/{path}; write `{path}/` where it is a folder",
                    paths.target
                )));
            }
        }
    }
    Ok(())
}

/// Whether a shared path that is not there yet is a folder.
fn is_folder(settings: &Checked, path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    settings.shared_folders.contains(path) || !name.contains('.')
}

/// Whether the application brings something there.
fn brings(application: &Application, path: &str) -> bool {
    let at = format!("{SEEDS}{path}");
    application.wanted.keys().any(|known| is_at(known, &at))
}
