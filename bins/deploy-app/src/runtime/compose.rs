//! A Compose project: its services, what stands in its files, its containers, images and ports, and whose it is.
//! Reading is pure.

mod containers;
mod images;
mod mounts;
mod outline;
mod ports;
mod project;
mod service;

pub(crate) use containers::ONE_OFF;
pub(crate) use containers::{Verdict, containers, judge, without_commands};
pub(crate) use images::{Of, gone, keep, prune, recall, remove};
pub(crate) use mounts::{Fault, Mounts, told};
pub(crate) use outline::{Outline, missing, outline, read_outline};
pub(crate) use ports::{LISTENERS, taken};
pub(crate) use project::{Engine, Project, choose, claim, engine};
pub(crate) use service::{Service, keeps_models, ollama, services, touched};
