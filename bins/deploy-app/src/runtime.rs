//! The application on the host: its commands or its Compose project, how it is started and stopped, and what proves that it
//! works.
//!
//! `run_spec` is how a release is run, `commands` makes the commands for it, `compose` reads what Compose and Docker say.
//! `start` and `stop` run them; `images` are what Compose starts; `health`, `ollama` and `target_group` prove the release.

pub(crate) mod commands;
pub(crate) mod compose;
pub(crate) mod health;
pub(crate) mod images;
pub(crate) mod ollama;
pub(crate) mod run_spec;
pub(crate) mod start;
pub(crate) mod stop;
pub(crate) mod target_group;
