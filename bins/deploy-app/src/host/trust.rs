//! Which host keys are believed, and where each was learnt. Unknown never means accepted.

use hmac::{Hmac, KeyInit, Mac};
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::{Algorithm, Certificate, EcdsaCurve, HashAlg, PublicKey, PublicKeyOrCertificate};
use sha1::Sha1;
use std::fmt;

/// A public key that the host may present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKey(PublicKey);

/// A line that should have held a public key and does not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a public key line such as `ssh-ed25519 AAAA…`")]
pub struct NotAKey(String);

impl HostKey {
    /// Reads one `TYPE BASE64 [COMMENT]` line, as `ssh_host_ed25519_key.pub` holds it.
    ///
    /// # Errors
    /// [`NotAKey`] with the start of the line.
    pub fn parse(line: &str) -> Result<Self, NotAKey> {
        let line = line.trim();
        // The comment is not part of the key and may hold anything.
        let key = line
            .split_whitespace()
            .take(2)
            .collect::<Vec<_>>()
            .join(" ");
        PublicKey::from_openssh(&key)
            .map(Self)
            .map_err(|_| NotAKey(line.chars().take(40).collect()))
    }

    /// Reads several lines; blank ones and `#` comments are passed over.
    ///
    /// # Errors
    /// The first line that is not a key.
    pub fn parse_lines(text: &str) -> Result<Vec<Self>, NotAKey> {
        text.lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(Self::parse)
            .collect()
    }

    /// `SHA256:…`, as OpenSSH prints it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }

    /// The key as a `TYPE BASE64` line.
    #[must_use]
    pub fn line(&self) -> String {
        self.0
            .to_openssh()
            .unwrap_or_default()
            .trim_end()
            .to_owned()
    }

    /// The signature algorithms this key can prove itself with, best first. RSA never with SHA-1.
    pub(super) fn algorithms(&self) -> Vec<Algorithm> {
        match self.0.algorithm() {
            Algorithm::Rsa { .. } => rsa().to_vec(),
            other => vec![other],
        }
    }

    /// Whether the presented key is this one; comments do not count.
    pub(super) fn is(&self, presented: &PublicKey) -> bool {
        self.0.key_data() == presented.key_data()
    }
}

impl From<&PublicKey> for HostKey {
    fn from(key: &PublicKey) -> Self {
        Self(PublicKey::from(key.key_data().clone()))
    }
}

impl fmt::Display for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0.algorithm(), self.fingerprint())
    }
}

fn rsa() -> [Algorithm; 2] {
    [
        Algorithm::Rsa {
            hash: Some(HashAlg::Sha512),
        },
        Algorithm::Rsa {
            hash: Some(HashAlg::Sha256),
        },
    ]
}

/// What is known about a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Keys that it may present itself.
    pub keys: Vec<HostKey>,
    /// Authorities whose certificates it may present instead.
    pub authorities: Vec<HostKey>,
    /// Names that such a certificate must be for, one of them.
    pub names: Vec<String>,
    /// Keys that are believed in no case, a certificate's own key included.
    pub revoked: Vec<HostKey>,
    /// Where all this was learnt, for messages: `DEPLOY_APP_HOST_KEY`.
    pub source: String,
}

impl Known {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.authorities.is_empty()
    }

    /// Reads `TYPE BASE64` lines, and `@cert-authority TYPE BASE64` ones, as a setting holds them.
    ///
    /// # Errors
    /// The first line that is not a key.
    pub fn parse_lines(text: &str) -> Result<Self, NotAKey> {
        let mut known = Self::default();
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match line.strip_prefix("@cert-authority") {
                Some(rest) => known.authorities.push(HostKey::parse(rest)?),
                None => known.keys.push(HostKey::parse(line)?),
            }
        }
        Ok(known)
    }

    /// The keys and authorities, with their fingerprints.
    #[must_use]
    pub fn describe(&self) -> String {
        let keys = self.keys.iter().map(ToString::to_string);
        let authorities = self.authorities.iter().map(|key| format!("authority {key}"));
        keys.chain(authorities).collect::<Vec<_>>().join(", ")
    }
}

/// What decides about the key that the host presents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Only what is known, which is something.
    Known(Known),
    /// Asked for by the user: whatever comes first is believed, and written down afterwards.
    FirstUse,
}

impl Trust {
    /// The host-key algorithms to offer. With pinned keys only theirs: a server with several keys
    /// must present the one that we know.
    pub(super) fn algorithms(&self) -> Vec<Algorithm> {
        match self {
            Self::Known(known) => distinct(known.keys.iter().flat_map(HostKey::algorithms)),
            Self::FirstUse => any(),
        }
    }

    /// The algorithms under which a certificate is asked for: all, where an authority is known. The
    /// authority's own type says nothing about that of the hosts' keys.
    pub(super) fn certificate_algorithms(&self) -> Vec<Algorithm> {
        match self {
            Self::Known(known) if !known.authorities.is_empty() => any(),
            Self::Known(_) | Self::FirstUse => Vec::new(),
        }
    }

    /// Whether what the host presents is believed, at a time in seconds since 1970. The exchange has
    /// proven by then that the host holds the key; this is about whose key it is.
    pub(super) fn accepts(&self, presented: &PublicKeyOrCertificate, now: u64) -> bool {
        let known = match (self, presented) {
            (Self::FirstUse, PublicKeyOrCertificate::PublicKey { .. }) => return true,
            (Self::FirstUse, PublicKeyOrCertificate::Certificate(_)) => return false,
            (Self::Known(known), _) => known,
        };
        let key = presented.public_key();
        if known.revoked.iter().any(|revoked| revoked.is(&key)) {
            return false;
        }
        match presented {
            PublicKeyOrCertificate::PublicKey { key, .. } => {
                known.keys.iter().any(|known| known.is(key))
            }
            PublicKeyOrCertificate::Certificate(certificate) => {
                vouched_for(certificate, known, now)
            }
        }
    }
}

/// Whether a known authority says that this is the host: a host certificate, for one of its names,
/// valid now, with no condition that we would not know of. One without names would be good for any
/// host of the authority, and is not believed.
fn vouched_for(certificate: &Certificate, known: &Known, now: u64) -> bool {
    let authorities: Vec<_> = known
        .authorities
        .iter()
        .filter(|authority| !known.revoked.contains(authority))
        .map(|authority| authority.0.fingerprint(HashAlg::Sha256))
        .collect();
    let is_for_it = certificate.valid_principals().iter().any(|principal| {
        known
            .names
            .iter()
            .any(|name| glob(principal.as_bytes(), name.as_bytes()))
    });
    certificate.cert_type() == CertType::Host
        && is_for_it
        && certificate.critical_options().iter().next().is_none()
        && certificate.validate_at(now, &authorities).is_ok()
}

fn distinct(algorithms: impl Iterator<Item = Algorithm>) -> Vec<Algorithm> {
    let mut all: Vec<Algorithm> = Vec::new();
    for algorithm in algorithms {
        if !all.contains(&algorithm) {
            all.push(algorithm);
        }
    }
    all
}

/// Every algorithm that is good enough, best first.
fn any() -> Vec<Algorithm> {
    let curves = [
        EcdsaCurve::NistP256,
        EcdsaCurve::NistP384,
        EcdsaCurve::NistP521,
    ];
    [Algorithm::Ed25519]
        .into_iter()
        .chain(curves.map(|curve| Algorithm::Ecdsa { curve }))
        .chain(rsa())
        .collect()
}

/// What a known_hosts file says about a host with any of these names.
///
/// Names are tried as OpenSSH would: plain, `*` and `?` patterns, `!` exclusions, hashed; lines marked
/// `@cert-authority` give authorities, lines marked `@revoked` keys that are believed in no case.
#[must_use]
pub fn known_hosts(text: &str, names: &[String]) -> Known {
    let mut known = Known::default();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (marker, rest) = match line.split_once(char::is_whitespace) {
            Some((marker, rest)) if marker.starts_with('@') => (Some(marker), rest.trim_start()),
            _ => (None, line),
        };
        let Some((patterns, key)) = rest.split_once(char::is_whitespace) else {
            continue;
        };
        if !names.iter().any(|name| matches(patterns, name)) {
            continue;
        }
        let Ok(key) = HostKey::parse(key) else {
            continue;
        };
        match marker {
            None if !known.keys.contains(&key) => known.keys.push(key),
            Some("@cert-authority") => known.authorities.push(key),
            Some("@revoked") => known.revoked.push(key),
            _ => {}
        }
    }
    let revoked = known.revoked.clone();
    known.keys.retain(|key| !revoked.contains(key));
    known
}

/// The name under which known_hosts files list a host: `host`, or `[host]:port` off port 22.
#[must_use]
pub fn known_hosts_name(host: &str, port: u16) -> String {
    if port == 22 {
        host.to_owned()
    } else {
        format!("[{host}]:{port}")
    }
}

fn matches(patterns: &str, name: &str) -> bool {
    let mut matched = false;
    for pattern in patterns.split(',') {
        if let Some(pattern) = pattern.strip_prefix('!') {
            if glob(pattern.as_bytes(), name.as_bytes()) {
                return false;
            }
        } else if let Some(hashed) = pattern.strip_prefix("|1|") {
            matched |= hash_matches(hashed, name).unwrap_or(false);
        } else {
            matched |= glob(pattern.as_bytes(), name.as_bytes());
        }
    }
    matched
}

fn glob(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            glob(rest, name) || (!name.is_empty() && glob(pattern, &name[1..]))
        }
        (Some((b'?', rest)), Some((_, name))) => glob(rest, name),
        (Some((a, rest)), Some((b, name))) => a.eq_ignore_ascii_case(b) && glob(rest, name),
        _ => false,
    }
}

/// `SALT|HASH`, both base64: HMAC-SHA1 of the name under the salt.
fn hash_matches(hashed: &str, name: &str) -> Option<bool> {
    let (salt, hash) = hashed.split_once('|')?;
    let salt = aws_smithy_types::base64::decode(salt).ok()?;
    let hash = aws_smithy_types::base64::decode(hash).ok()?;
    let mac = Hmac::<Sha1>::new_from_slice(&salt).ok()?;
    Some(
        mac.chain_update(name.as_bytes())
            .verify_slice(&hash)
            .is_ok(),
    )
}

/// The public keys in an instance's console output, as cloud-init prints them on first boot:
/// the first `BEGIN SSH HOST KEY KEYS` block. Later blocks could have been written by anything
/// that can reach the serial console.
#[must_use]
pub fn console_keys(console: &str) -> Vec<HostKey> {
    let mut lines = console.lines();
    if !lines.any(|line| line.contains("-----BEGIN SSH HOST KEY KEYS-----")) {
        return Vec::new();
    }
    lines
        .take_while(|line| !line.contains("-----END SSH HOST KEY KEYS-----"))
        .filter_map(|line| {
            // Some images prefix each line with a time or `ec2:`.
            let at = ["ssh-", "ecdsa-sha2-"]
                .iter()
                .filter_map(|kind| line.find(kind))
                .min()?;
            HostKey::parse(&line[at..]).ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
    use super::{
        Certificate, HostKey, Known, PublicKeyOrCertificate, Trust, console_keys, known_hosts,
        known_hosts_name,
    };
    use russh::keys::key::safe_rng;
    use russh::keys::ssh_key::certificate::{Builder, CertType};
    use russh::keys::{Algorithm, HashAlg, PrivateKey, PublicKey};

    const ONE: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const TWO: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILIG2T/B0l0gaqj3puu510tu9N1OkQ4znY3LYuEm5zCF";

    fn check(text: &str, name: &str, expected: &[&str]) {
        let found: Vec<String> = known_hosts(text, &[name.to_owned()])
            .keys
            .iter()
            .map(HostKey::line)
            .collect();
        assert_eq!(found, expected, "{name} in {text}");
    }

    #[test]
    fn known_hosts_are_matched_as_openssh_does() {
        check(&format!("web {ONE}"), "web", &[ONE]);
        check(&format!("web {ONE} a comment"), "web", &[ONE]);
        check(&format!("web {ONE}"), "web2", &[]);
        check(&format!("a,web,b {ONE}\nweb {TWO}"), "web", &[ONE, TWO]);
        check(
            &format!("[web]:2222 {ONE}"),
            &known_hosts_name("web", 2222),
            &[ONE],
        );
        check(
            &format!("[web]:2222 {ONE}"),
            &known_hosts_name("web", 22),
            &[],
        );
        check(
            &format!("*.example.org,!bad.example.org {ONE}"),
            "good.example.org",
            &[ONE],
        );
        check(
            &format!("*.example.org,!bad.example.org {ONE}"),
            "bad.example.org",
            &[],
        );
        check(&format!("10.0.0.? {ONE}"), "10.0.0.7", &[ONE]);
        check(&format!("WEB {ONE}"), "web", &[ONE]);
        check(
            &format!("# web {ONE}\n\nweb nonsense\nweb {TWO}"),
            "web",
            &[TWO],
        );
        check(
            &format!("@revoked web {ONE}\nweb {ONE}\nweb {TWO}"),
            "web",
            &[TWO],
        );
        check(&format!("@cert-authority web {ONE}"), "web", &[]);
        check(&format!("web\t{ONE}"), "web", &[ONE]);
        // The hashed line is from russh's own tests; it hides `example.com`.
        let hashed = "|1|O33ESRMWPVkMYIwJ1Uw+n877jTo=|nuuC5vEqXlEZ/8BXQR7m619W6Ak=";
        check(&format!("{hashed} {TWO}"), "example.com", &[TWO]);
        check(&format!("{hashed} {TWO}"), "example.org", &[]);
    }

    #[test]
    fn pinned_keys_restrict_what_is_offered() {
        let known = Known::parse_lines(&format!("# pinned\n{ONE}\n\n{TWO} web\n")).unwrap();
        assert_eq!(known.keys.len(), 2);
        let trust = Trust::Known(known);
        assert_eq!(trust.algorithms(), [Algorithm::Ed25519]);
        assert!(trust.certificate_algorithms().is_empty());
        let sha1 = Algorithm::Rsa { hash: None };
        assert!(!Trust::FirstUse.algorithms().contains(&sha1));
        assert!(Trust::FirstUse.algorithms().contains(&Algorithm::Rsa {
            hash: Some(HashAlg::Sha256)
        }));
    }

    /// A certificate of `authority` for `names`, valid for seconds 100 to 200 of 1970.
    fn certificate(authority: &PrivateKey, kind: CertType, names: &[&str]) -> Certificate {
        let host = PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap();
        let mut builder =
            Builder::new(vec![7; 16], host.public_key().key_data().clone(), 100, 200).unwrap();
        builder.cert_type(kind).unwrap().key_id("test").unwrap();
        for name in names {
            builder.valid_principal(*name).unwrap();
        }
        if names.is_empty() {
            builder.all_principals_valid().unwrap();
        }
        builder.sign(authority).unwrap()
    }

    #[test]
    fn a_certificate_counts_when_a_known_authority_vouches_for_this_host_now() {
        let authority = PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap();
        let line = authority.public_key().to_openssh().unwrap();
        let mut known = known_hosts(&format!("@cert-authority web* {line}\n"), &["web1".into()]);
        known.names = vec!["web1".to_owned()];
        let accepts = |known: &Known, certificate: &Certificate, now| {
            Trust::Known(known.clone())
                .accepts(&PublicKeyOrCertificate::Certificate(certificate.clone()), now)
        };
        let good = certificate(&authority, CertType::Host, &["web1"]);
        assert!(accepts(&known, &good, 150));
        assert!(!accepts(&known, &good, 99) && !accepts(&known, &good, 200));
        let pattern = certificate(&authority, CertType::Host, &["web?"]);
        assert!(accepts(&known, &pattern, 150));
        for bad in [
            certificate(&authority, CertType::Host, &["web2"]),
            certificate(&authority, CertType::Host, &[]),
            certificate(&authority, CertType::User, &["web1"]),
        ] {
            assert!(!accepts(&known, &bad, 150));
        }
        let other = PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap();
        let forged = certificate(&other, CertType::Host, &["web1"]);
        assert!(!accepts(&known, &forged, 150));
        let host = PublicKey::new(good.public_key().clone(), "");
        known.revoked.push(HostKey::from(&host));
        assert!(!accepts(&known, &good, 150));
    }

    #[test]
    fn the_first_block_of_the_console_counts() {
        let console = format!(
            "[   12.0] cloud-init\r\n-----BEGIN SSH HOST KEY KEYS-----\r\nec2: {ONE} root@ip\r\n\
             -----END SSH HOST KEY KEYS-----\r\nlogin:\r\n-----BEGIN SSH HOST KEY KEYS-----\r\n{TWO}\r\n"
        );
        let found: Vec<String> = console_keys(&console).iter().map(HostKey::line).collect();
        assert_eq!(found, [ONE]);
        assert!(console_keys(&format!("{ONE}\n")).is_empty());
        assert!(console_keys("").is_empty());
    }

    #[test]
    fn a_line_that_is_no_key_is_named() {
        assert_eq!(
            HostKey::parse("SHA256:abc").unwrap_err().to_string(),
            "`SHA256:abc` is not a public key line such as `ssh-ed25519 AAAA…`"
        );
    }
}
