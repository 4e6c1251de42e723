//! What is run on the host is the same whatever the login shell makes of a command.

use harness::sshd::Options;

use crate::world::World;

/// The shells, and whether each is one that users have: the others stand for what a command must get through.
const SHELLS: [&str; 12] = [
    "bash",
    "dash",
    "zsh",
    "ksh",
    "mksh",
    "fish",
    "tcsh",
    "busybox sh",
    "posh",
    "yash",
    "rc",
    "toybox",
];
