//! Going back to a release that is on the host, and listing those.

use std::collections::BTreeSet;

use action::failure::Failure;
use action::program::Context;
use action::wait::Limits;
use bundle::digest::Digest;
use filesync::{Altered, Fault, Operation};
use tokio::time::Instant;

use super::activate::Switch;
use super::audit::{self, Entry};
use super::compare;
use super::decision;
use super::dry_run;
use super::journal::{Journal, RollbackTarget};
use super::outcome::{Deployed, clean_up, finish};
use super::preflight;
use crate::host::Remote;
use crate::host::lock;
use crate::host::state::State;
use crate::runtime::images;
use crate::runtime::start::Images;

/// The digest of no tree. A look for it tells in full what is current.
pub(super) fn no_tree() -> Digest {
    Digest::of(b"")
}

/// Goes back, or with `--dry-run` tells what that would do. `state` is what a look for [`no_tree`] told.
pub(super) async fn go_back(
    remote: &Remote<'_>,
    state: State,
    context: &Context,
    limits: &Limits,
) -> Result<Option<(String, bool)>, Failure> {
    let began = Instant::now();
    remote.timings.begin("compare");
    let (current, release) = choose(remote, &state)?;
    if current == release && state.is_proven() {
        decision::tell(state.decision.as_ref());
        tracing::info!("release {current} is current already: nothing to go back to");
        return Ok(Some((current, false)));
    }
    let settled = preflight::settled(remote.settings, &state);
    let remote = &remote.by(&settled);
    check_whole(remote, &release, limits).await?;
    compare::check_target(remote, &state)?;
    let run_spec = state.run_spec(&release, remote.settings);
    if let [name, ..] = run_spec.missing_secrets().as_slice() {
        return Err(Failure::refused(format!(
            "release {release} was run with the secret {name}, whose value is not kept; nothing was touched"
        ))
        .hint(format!(
            "name {name} in DEPLOY_APP_COMPOSE_VARIABLE and in DEPLOY_APP_SECRET, and set it"
        )));
    }
    run_spec.tell_secrets(&release);
    let commands = run_spec.commands(remote.settings);
    if commands.project().is_some() {
        compare::check_runtime_of(remote, &commands, limits).await?;
        preflight::is_ours(remote, &run_spec, limits).await?;
        images::are_there(remote, &commands, &release, limits).await?;
    }
    if context.dry_run {
        let (text, json) = dry_run::of_rollback(remote, &current, &release, &state, limits).await?;
        context.show_plan(&text, &json)?;
        return Ok(None);
    }
    let mut journal = Journal::default();
    let ended = act(remote, context, &release, limits, &mut journal).await;
    finish(remote, context, journal, ended, ("rollback", began), None).await
}

async fn act(
    remote: &Remote<'_>,
    context: &Context,
    release: &str,
    limits: &Limits,
    journal: &mut Journal,
) -> Result<Deployed, Failure> {
    remote.timings.begin("lock");
    let (lock, seen) = lock::take(remote, context, no_tree(), limits).await?;
    journal.lock = Some(lock);
    // Somebody else may have deployed while we waited.
    let state = remote.look_unless(seen, no_tree(), limits).await?;
    let (current, again) = choose(remote, &state)?;
    let resumes = current == release;
    if again != release || (resumes && state.is_proven()) {
        return Err(Failure::new(
            action::exit::Exit::Lost,
            format!("another deployment made {current} current meanwhile; nothing was touched"),
        )
        .hint("`deploy-app releases` lists what is there now"));
    }
    decision::tell(state.decision.as_ref());
    journal.decision.clone_from(&state.decision);
    release.clone_into(&mut journal.release);
    let before = RollbackTarget::of(&state, release);
    let entry = Entry {
        deed: "rollback",
        release,
        before: before.release(),
        ..Entry::default()
    };
    let audit = &audit::known(context, &entry);
    let switch = Switch {
        remote,
        release,
        run_spec: &state.run_spec(release, remote.settings),
        state: &state,
        before: before.clone(),
        audit,
        resumes,
        images: Images::Kept,
        // What lies there may have been altered, and was not compared: all of it is placed anew.
        altered: Altered::All,
    };
    let model = switch.go(journal, limits).await?;
    clean_up(remote, limits).await;
    Ok(Deployed {
        release: release.to_owned(),
        changed: true,
        adopted: false,
        model,
    })
}

/// The current release and the one to go back to.
fn choose(remote: &Remote<'_>, state: &State) -> Result<(String, String), Failure> {
    let shown = &remote.shown;
    let Some(current) = state.current_name() else {
        return Err(Failure::refused(format!(
            "nothing was deployed to {} on {shown} yet",
            remote.settings.paths.target
        )));
    };
    let known = |failure: Failure| {
        state
            .releases
            .iter()
            .fold(failure, |failure, name| {
                failure.detail(format!("there is {name}{}", remark(state, name)))
            })
            .hint("name one of them, as in `deploy-app rollback 20261123094308-1a2b3c4`")
    };
    let release = match &remote.settings.release {
        Some(release) if state.releases.contains(release) => release.as_str(),
        Some(release) => {
            return Err(known(Failure::refused(format!(
                "there is no release {release} on {shown}"
            ))));
        }
        None => state.before_current().ok_or_else(|| {
            known(Failure::refused(format!(
                "there is no release before {current} on {shown} that is proven healthy"
            )))
        })?,
    };
    Ok((current.to_owned(), release.to_owned()))
}

fn remark(state: &State, name: &str) -> &'static str {
    if state.current_name() == Some(name) {
        ", which is current"
    } else if state.proven.contains(name) {
        ""
    } else {
        ", which is not proven healthy"
    }
}

/// Refuses a release whose files on the host are not what they were.
async fn check_whole(remote: &Remote<'_>, release: &str, limits: &Limits) -> Result<(), Failure> {
    let refused = || {
        Failure::refused(format!(
            "cannot go back to release {release} on {}; nothing was touched",
            remote.shown
        ))
    };
    let deed = format!("read release {release}");
    let operation = Operation::Faults {
        release: release.to_owned(),
        only: None,
    };
    let faults: Option<Vec<Fault>> = remote.files(&deed, operation, limits).await?;
    let Some(faults) = faults else {
        return Err(refused().cause("its manifest is gone"));
    };
    if faults.is_empty() {
        return Ok(());
    }
    let paths: BTreeSet<String> = faults.iter().take(20).map(ToString::to_string).collect();
    Err(paths
        .into_iter()
        .fold(
            refused().cause(format!(
                "{} of its files are not what they were",
                faults.len()
            )),
            Failure::detail,
        )
        .hint("deploy the application as it was instead"))
}

/// Lists the releases: name, `current`, `proven` or `unproven`, the newest first, separated by tabs.
pub(super) fn list(remote: &Remote<'_>, state: &State) -> String {
    decision::tell(state.decision.as_ref());
    let mut text = String::new();
    for name in state.releases.iter().rev() {
        let what = if state.current_name() == Some(name.as_str()) {
            "current"
        } else if state.proven.contains(name) {
            "proven"
        } else {
            "unproven"
        };
        text.push_str(&format!("{name}\t{what}\n"));
    }
    if text.is_empty() {
        tracing::info!(
            "nothing was deployed to {} on {} yet",
            remote.settings.paths.target,
            remote.shown
        );
    }
    text
}
