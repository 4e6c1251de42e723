//! What the program does, in the order of the job.
//!
//! `run` reads the `application`, has `find` bring the instance up, connects, and then deploys (`release`), goes back
//! (`rollback`) or lists. `compare` looks at what is there, `preflight` and `disk_space` refuse what cannot end well, and
//! `dry_run` shows the `plan` instead of acting. `activate` switches to a release and starts it; `restart` starts one that
//! is there. `unattended` is what the agent does alone should the connection be lost meanwhile, and `decision` what it then
//! decided. The `journal` says what a run did so far. What a failed one made is taken back by `undo`, what explains it is
//! gathered in the `failure_bundle`, and `audit` keeps the record of both on the host.

mod activate;
mod application;
mod audit;
mod compare;
mod decision;
mod disk_space;
mod dry_run;
mod failure_bundle;
mod find;
mod journal;
mod outcome;
mod plan;
mod preflight;
mod release;
mod restart;
mod rollback;
pub(crate) mod run;
mod unattended;
mod undo;
