//! A Compose project: its services, what stands in its files, its containers, images and ports, and whose it is.
//! Reading is pure.

mod containers;
mod images;
mod mounts;
mod outline;
mod ports;
mod project;
mod registry;
mod service;

pub(crate) use containers::ONE_OFF;
pub(crate) use containers::{Verdict, containers, judge, without_commands};
pub(crate) use images::{Of, absent, gone, keep, prune, recall, remove};
pub(crate) use mounts::{Fault, Mounts, told};
pub(crate) use outline::{
    FOLDER, Outline, Unread, missing, outline, read_outline, read_script, without_file,
};
pub(crate) use ports::{LISTENERS, taken};
pub(crate) use project::{Engine, Project, choose, claim, engine};
pub(crate) use registry::logged_in;
pub(crate) use service::{Pulls, Service, keeps_models, ollama, services, touched};
