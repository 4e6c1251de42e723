//! The protocols of tunnels to private instances as state machines: no socket, no clock, no AWS SDK. What arrives goes
//! in, what is to be sent comes out; the crate `tunnel` carries it. [`ssm`] is Session Manager's data channel,
//! [`frames`] are those of an EC2 Instance Connect Endpoint.

pub mod frames;
pub mod ssm;

/// How much of a text of the other side is shown.
const SHOWN: usize = 300;

/// The beginning of a text on one line, without control characters.
#[must_use]
pub fn plain(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    line.chars()
        .filter(|c| !c.is_control())
        .take(SHOWN)
        .collect()
}
