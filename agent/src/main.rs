//! The host's side of `deploy-app`, which puts it onto the host and speaks to it over one channel.
//!
//! [`serve`] reads requests and answers them. [`command`] runs commands, each through a [`watch`]er: a second process of
//! this program that ends the command when the agent is gone. [`files`] works on the store of releases, and [`connect`] opens
//! connections from the host. [`lock`] keeps other deployments out. When the connection is lost after the switch, a
//! [`guardian`], a third process of this program, [`judge`]s the release by a plan.
//!
//! Nobody calls this program by hand.

mod command;
mod connect;
mod files;
mod guardian;
mod health;
mod judge;
mod lock;
mod others;
mod output;
mod script;
mod serve;
mod watch;

use std::io::Write as _;
use std::process::ExitCode;

fn say(line: &str) -> Result<(), String> {
    writeln!(std::io::stdout(), "{line}").map_err(|error| error.to_string())
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let own = arguments.next().unwrap_or_default();
    let mut word = || arguments.next().and_then(|word| word.into_string().ok());
    let role = word();
    let (digest, opening) = (word().unwrap_or_default(), word().unwrap_or_default());
    let ended = match role.as_deref() {
        // Where the host cannot verify the file, it serves once.
        Some(how @ ("serve" | "serve-once")) => {
            let once = how == "serve-once";
            serve::serve(&own, &digest, &opening, once).map_err(|error| error.to_string())
        }
        Some("guard") => guardian::guard().map_err(|error| error.to_string()),
        Some("watch") => watch::watch().map_err(|error| error.to_string()),
        // Whether programs may be executed where this one lies.
        Some("probe") => Ok(()),
        Some("--version") => say(concat!("deploy-agent ", env!("CARGO_PKG_VERSION"))),
        Some("--help") => say("The host's side of deploy-app, which starts it."),
        _ => Err("deploy-app starts this program, nobody else does".to_owned()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(std::io::stderr(), "deploy-agent: {error}"));
            ExitCode::FAILURE
        }
    }
}
