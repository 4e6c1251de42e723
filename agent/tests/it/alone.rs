//! When the connection is lost after the switch, or the agent is killed, the release is proven or taken back without
//! anybody's help.

mod app;
mod cuts;
mod histories;
