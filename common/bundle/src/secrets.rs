//! Recognising what must never be shipped: private keys by their content, environment files by their name.

use std::sync::LazyLock;

use memchr::memmem;

/// How much of a file is looked at, in bytes. A key in a certificate bundle sits within the first kilobytes.
pub const SCAN_LIMIT: usize = 1024 * 1024;

/// Where armour begins; made once, for making it takes as long as a small file.
static BEGIN: LazyLock<memmem::Finder<'static>> =
    LazyLock::new(|| memmem::Finder::new(b"-----BEGIN "));

/// Names a private key in the content, such as `RSA PRIVATE KEY`; none when there is none.
///
/// Finds PEM (PKCS#1, PKCS#8, SEC1, encrypted or not), OpenSSH and PGP armour wherever it begins,
/// also inside JSON with `\n` written out, and PuTTY's PPK at the start of the file. The header
/// alone is not enough: documentation and programs that look for keys quote it. Base64 must follow.
#[must_use]
pub fn private_key(content: &[u8]) -> Option<String> {
    let content = &content[..content.len().min(SCAN_LIMIT)];
    if content.starts_with(b"PuTTY-User-Key-File-") {
        return Some("PuTTY private key".to_owned());
    }
    BEGIN
        .find_iter(content)
        .find_map(|at| armoured_key(&content[at + BEGIN.needle().len()..]))
}

/// The label of a key whose text begins right after `-----BEGIN `.
fn armoured_key(after: &[u8]) -> Option<String> {
    let label_end = memmem::find(&after[..after.len().min(64)], b"-----")?;
    let label = std::str::from_utf8(&after[..label_end]).ok()?;
    if !label.ends_with("PRIVATE KEY") && !label.ends_with("PRIVATE KEY BLOCK") {
        return None;
    }
    let body = String::from_utf8_lossy(&after[label_end + 5..after.len().min(label_end + 2048)]);
    // In JSON and in shell strings line ends are written as two characters.
    let body = body.replace("\\r", "\r").replace("\\n", "\n");
    body.lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.contains(": "))
        .filter(|line| line.len() >= 32 && line.bytes().all(is_base64))
        .map(|_| label.to_owned())
}

const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

/// Whether a file name is that of an environment file: `.env`, `.env.prod`; not `.env.example` and its like.
#[must_use]
pub fn is_env_file(file_name: &str) -> bool {
    const SAMPLES: [&str; 5] = ["example", "sample", "template", "dist", "defaults"];
    file_name == ".env"
        || file_name
            .strip_prefix(".env.")
            .is_some_and(|rest| !SAMPLES.contains(&rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE64: &str = "MIIEpAIBAAKCAQEAvY0v5X1gkHhK9J3zZ0aQxq2nY5f8sQ7v";

    #[test]
    fn keys_are_found_in_every_dress() {
        for (content, label) in [
            (
                format!("-----BEGIN RSA PRIVATE KEY-----\n{BASE64}\n"),
                "RSA PRIVATE KEY",
            ),
            (
                format!("-----BEGIN PRIVATE KEY-----\r\n{BASE64}\r\n"),
                "PRIVATE KEY",
            ),
            (
                format!("junk\n  -----BEGIN OPENSSH PRIVATE KEY-----\n  {BASE64}\n"),
                "OPENSSH PRIVATE KEY",
            ),
            (
                format!(
                    "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0A\n\n{BASE64}"
                ),
                "EC PRIVATE KEY",
            ),
            (
                format!(
                    "-----BEGIN CERTIFICATE-----\n{BASE64}\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n{BASE64}"
                ),
                "PRIVATE KEY",
            ),
            (
                format!(r#"{{"private_key": "-----BEGIN PRIVATE KEY-----\n{BASE64}\n"}}"#),
                "PRIVATE KEY",
            ),
            (
                format!("-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: 1\n\n{BASE64}\n"),
                "PGP PRIVATE KEY BLOCK",
            ),
            (
                "PuTTY-User-Key-File-3: ssh-ed25519\n".to_owned(),
                "PuTTY private key",
            ),
        ] {
            assert_eq!(
                private_key(content.as_bytes()).as_deref(),
                Some(label),
                "{content}"
            );
        }
    }

    #[test]
    fn talk_of_keys_is_not_a_key() {
        for content in [
            "-----BEGIN PRIVATE KEY-----".to_owned(),
            "-----BEGIN PRIVATE KEY-----\n...\n".to_owned(),
            "if text.contains(\"-----BEGIN RSA PRIVATE KEY-----\") { refuse() }\n".to_owned(),
            format!("-----BEGIN PUBLIC KEY-----\n{BASE64}\n"),
            format!("-----BEGIN CERTIFICATE-----\n{BASE64}\n"),
            "-----BEGIN ".to_owned(),
        ] {
            assert_eq!(private_key(content.as_bytes()), None, "{content}");
        }
    }

    #[test]
    fn samples_of_env_files_may_travel() {
        for (name, is) in [
            (".env", true),
            (".env.prod", true),
            (".env.example", false),
            ("env", false),
            (".environment", false),
            ("app.env", false),
        ] {
            assert_eq!(is_env_file(name), is, "{name}");
        }
    }
}
