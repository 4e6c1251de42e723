//! The built `deploy-app` against a real OpenSSH server and a scripted AWS.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod address;
mod aws;
mod compose;
mod data;
mod deploys;
mod evidence;
mod faults;
mod hooks;
mod host_keys;
mod iam;
mod images;
mod in_place;
mod killed;
mod login_shells;
mod manners;
mod model;
mod noise;
mod page;
mod projects;
mod prune;
mod reaching;
mod real_compose;
mod refusals;
mod rollback;
mod scripted_ssh;
mod sdk_settings;
mod secret_settings;
mod secrets;
mod ssh_keys;
mod stops;
mod unreadable;
mod userlands;
mod ways_in;
mod words;
mod world;
