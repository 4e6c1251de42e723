//! known_hosts files, read as OpenSSH reads them.

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::host_key::{HostKey, KnownHostKeys};
use crate::pattern::glob;

/// What a known_hosts file says about a host with any of these names.
///
/// Names are tried as OpenSSH would: plain, `*` and `?` patterns, `!` exclusions, hashed; lines marked
/// `@cert-authority` give authorities, lines marked `@revoked` keys that are believed in no case.
///
/// Where nothing is listed for `[host]:port`, what is listed for `host` counts, as in OpenSSH (`check_host_key` in
/// sshconnect.c, "checking without port identifier"). Other than there, a key that is revoked under either name is not
/// believed.
#[must_use]
pub fn parse(text: &str, names: &[String]) -> KnownHostKeys {
    let mut known = listed(text, names);
    let without_port: Vec<String> = names.iter().filter_map(|name| without_port(name)).collect();
    let fallback = listed(text, &without_port);
    if known.is_empty() {
        known.keys = fallback.keys;
        known.authorities = fallback.authorities;
    }
    known.revoked.extend(fallback.revoked);
    let revoked = known.revoked.clone();
    known.keys.retain(|key| !revoked.contains(key));
    known
}

/// `host` of `[host]:port`.
fn without_port(name: &str) -> Option<String> {
    let (host, port) = name.strip_prefix('[')?.rsplit_once("]:")?;
    (!port.is_empty()).then(|| host.to_owned())
}

/// What is listed under any of these names.
fn listed(text: &str, names: &[String]) -> KnownHostKeys {
    let mut known = KnownHostKeys::default();
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
        let Some(key) = HostKey::parse(key) else {
            continue;
        };
        match marker {
            None if !known.keys.contains(&key) => known.keys.push(key),
            Some("@cert-authority") => known.authorities.push(key),
            Some("@revoked") => known.revoked.push(key),
            _ => {}
        }
    }
    known
}

/// The name under which known_hosts files list a host: `host`, or `[host]:port` off port 22.
#[must_use]
pub fn entry_name(host: &str, port: u16) -> String {
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

/// `SALT|HASH`, both base64: HMAC-SHA1 of the name under the salt.
fn hash_matches(hashed: &str, name: &str) -> Option<bool> {
    let (salt, hash) = hashed.split_once('|')?;
    let salt = BASE64.decode(salt.as_bytes()).ok()?;
    let hash = BASE64.decode(hash.as_bytes()).ok()?;
    let mac = Hmac::<Sha1>::new_from_slice(&salt).ok()?;
    Some(
        mac.chain_update(name.as_bytes())
            .verify_slice(&hash)
            .is_ok(),
    )
}

#[cfg(test)]
mod tests {
    use super::{HostKey, entry_name, parse};

    const ONE: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const TWO: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILIG2T/B0l0gaqj3puu510tu9N1OkQ4znY3LYuEm5zCF";

    fn check(text: &str, name: &str, expected: &[&str]) {
        let found: Vec<String> = parse(text, &[name.to_owned()])
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
            &entry_name("web", 2222),
            &[ONE],
        );
        check(&format!("[web]:2222 {ONE}"), &entry_name("web", 22), &[]);
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

    const ECDSA: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBHwf2HMM5TRXvo2SQJjsNkiDD5KqiiNjrGVv3UUh+mMT5RHxiRtOnlqvjhQtBq0VpmpCV/PwUdhOig4vkbqAcEc=";

    /// As OpenSSH 9.2 does with each of these files, but for the revoked key, which it believes.
    #[test]
    fn what_is_listed_without_a_port_counts_where_nothing_is_listed_with_it() {
        let name = entry_name("web", 2222);
        check(&format!("web {ONE}"), &name, &[ONE]);
        check(&format!("[web]:2222 {TWO}\nweb {ONE}"), &name, &[TWO]);
        check(&format!("[web]:2222 {ECDSA}\nweb {ONE}"), &name, &[ECDSA]);
        check(&format!("[web]:2223 {ONE}"), &name, &[]);
        check(&format!("@revoked web {ONE}\n[web]:2222 {ONE}"), &name, &[]);
        // Never the other way round.
        check(&format!("[web]:22 {ONE}"), "web", &[]);
    }
}
