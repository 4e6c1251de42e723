//! An SSH client that runs POSIX shell scripts on a host. Nothing outside this crate names the SSH library.
//!
//! A [`Session`] is made over any stream of bytes, such as [`Address::connect`] gives. The host proves itself with a key
//! that a [`HostKeyPolicy`] knows; this side proves itself with a [`PrivateKey`].

mod address;
mod config;
mod error;
mod exec;
mod host_key;
mod host_key_lines;
mod identity;
mod key_text;
pub mod known_hosts;
mod output;
mod pattern;
mod policy;
mod private_key;
mod running;
mod script;
mod session;
mod tcp;

pub use address::{Address, AddressError};
pub use config::{HostConfig, Jump, JumpError, SshConfig, SshConfigError};
pub use error::{ConnectError, ExecError, PrivateKeyError};
pub use exec::{
    ExecEvent, ExecOutput, ExecReader, ExecWriter, ScriptReader, ScriptWriter, Stdin, collect,
};
pub use host_key::{HostKey, KnownHostKeys};
pub use host_key_lines::{HostKeyLineError, HostKeyLines};
pub use identity::{Identity, UserCertificate, UserCertificateError};
pub use output::OutputMode;
pub use policy::HostKeyPolicy;
pub use private_key::PrivateKey;
pub use script::SudoUser;
pub use session::Session;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::{Address, HostKeyLines, Jump, PrivateKey, SshConfig, known_hosts};

    /// Words and marks that the readers know, in any order.
    fn text() -> impl Strategy<Value = String> {
        let known = [
            "Host",
            "Match",
            "Port",
            "=",
            "\"",
            "%",
            "%h",
            "~",
            "#",
            "@revoked",
            "@cert-authority",
            "*",
            "!",
            "?",
            ",",
            "|1|",
            "[",
            "]",
            ":",
            "-",
            "\\n",
            "-----BEGIN ",
            "-----END ",
            "PRIVATE KEY-----",
            "Proc-Type: 4,ENCRYPTED",
            "DEK-Info: AES-128-CBC,00",
            "PuTTY-User-Key-File-3: ",
            "b3BlbnNzaC1rZXktdjE",
            "ssh-ed25519",
            "AAAA",
            "{\"a\":",
        ];
        let word = prop_oneof![
            4 => proptest::sample::select(known.to_vec()).prop_map(str::to_owned),
            1 => "\\PC{0,8}",
            1 => Just(" ".to_owned()),
            1 => Just("\n".to_owned()),
        ];
        proptest::collection::vec(word, 0..40).prop_map(|words| words.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_text_is_too_odd_to_be_read_or_refused(text in text(), name in "[a-z\\[\\]:*%]{0,12}") {
            let names = [name.clone()];
            let _ = known_hosts::parse(&text, &names);
            let _ = HostKeyLines::parse(&text).map(|lines| lines.about(&names));
            let _ = SshConfig::parse(&text).and_then(|config| config.host(&name));
            let _ = text.parse::<Address>();
            let _ = Jump::list(&text);
            let _ = PrivateKey::secret_forms(&text);
            prop_assert!(PrivateKey::parse(&text, Some("x")).is_err());
        }
    }
}
