//! A private key as people keep it in variables and secret stores: with its own line ends, with `\n` written out,
//! flattened to one line, indented, in quotes, in JSON, in base64.
//!
//! Nothing here puts any of a text into a message: a text that is no whole key may still be most of one.

use std::borrow::Cow;

use data_encoding::BASE64;
use russh::keys::Algorithm;
use serde_json::Value;

use crate::error::PrivateKeyError;

/// How deep one form may stand within another, as base64 of JSON with `\n` in its strings does.
const DEPTH: usize = 3;

/// What every block of PEM begins and ends with, before its label.
const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";

/// How the content of an OpenSSH key begins in base64, whichever key it is.
const OPENSSH: &str = "b3BlbnNzaC1rZXktdjE";

/// How a file of PuTTY's begins.
const PUTTY: &str = "PuTTY-User-Key-File-";

/// How the lines of base64 are cut, in bytes: by `base64`, by OpenSSL and PEM, and by OpenSSH.
const LINES: [usize; 3] = [76, 64, 70];

/// Whether the text is meant to be a key, and not the name of a file that holds one.
pub(crate) fn is_meant(text: &str) -> bool {
    readings(text).iter().any(|reading| {
        reading.starts_with('{')
            || reading.starts_with(OPENSSH)
            || reading.contains(['\n', '\r'])
            || reading.contains("-----BEGIN")
            || reading.contains("-----END")
            || is_putty(reading)
            || is_public_line(reading)
    })
}

/// The one private key in the text, in a form that the SSH library reads.
///
/// # Errors
/// What the text is instead, as the end of a sentence about it.
pub(crate) fn find(text: &str) -> Result<String, PrivateKeyError> {
    let readings = readings(text);
    let is_key = |it: &String| block(it).or_else(|| is_putty(it).then(|| it.clone()));
    let mut found: Vec<String> = readings.iter().filter_map(is_key).collect();
    found.sort_unstable();
    found.dedup();
    match (found.pop(), found.is_empty()) {
        (Some(key), true) => Ok(key),
        (Some(_), false) => Err(PrivateKeyError::Several),
        (None, _) => Err(instead(&readings)),
    }
}

/// What a text without a private key is.
fn instead(readings: &[String]) -> PrivateKeyError {
    let has = |what: &str| readings.iter().any(|reading| reading.contains(what));
    if has("PRIVATE KEY-----") || has(OPENSSH) {
        PrivateKeyError::Part
    } else if has("PUBLIC KEY") || readings.iter().any(|it| is_public_line(it)) {
        PrivateKeyError::Public
    } else if has("-----BEGIN CERTIFICATE") {
        PrivateKeyError::Certificate
    } else {
        PrivateKeyError::NoKey
    }
}

/// The text, and what it is when it is read as JSON, as base64, without quotes, with its `\n` as line ends.
fn readings(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    add_readings(text, DEPTH, &mut all);
    all
}

fn add_readings(text: &str, depth: usize, all: &mut Vec<String>) {
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() || all.iter().any(|known| known == text) {
        return;
    }
    all.push(text.to_owned());
    let Some(depth) = depth.checked_sub(1) else {
        return;
    };
    if let Ok(json) = serde_json::from_str::<Value>(text) {
        strings(&json, &mut |text| add_readings(text, depth, all));
    }
    for quote in ['"', '\''] {
        let inner = text
            .strip_prefix(quote)
            .and_then(|it| it.strip_suffix(quote));
        if let Some(inner) = inner {
            add_readings(inner, depth, all);
        }
    }
    if text.contains("\\n") {
        let plain = text.replace("\\r", "").replace("\\n", "\n");
        add_readings(&plain, depth, all);
    }
    if let Some(decoded) = decoded(text) {
        add_readings(&decoded, depth, all);
    }
}

/// Hands on every string in a JSON value.
fn strings(json: &Value, tell: &mut impl FnMut(&str)) {
    match json {
        Value::String(text) => tell(text),
        Value::Array(items) => items.iter().for_each(|item| strings(item, tell)),
        Value::Object(fields) => fields.values().for_each(|item| strings(item, tell)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The text that this is the base64 of.
fn decoded(text: &str) -> Option<String> {
    let mut packed: String = text.split_whitespace().collect();
    if packed.len() < 64 {
        return None;
    }
    packed.truncate(packed.trim_end_matches('=').len());
    while !packed.len().is_multiple_of(4) {
        packed.push('=');
    }
    String::from_utf8(BASE64.decode(packed.as_bytes()).ok()?).ok()
}

/// The first private key in PEM, with its content on one line.
fn block(text: &str) -> Option<String> {
    let mut rest = text;
    loop {
        let (_, after) = rest.split_once(BEGIN)?;
        let (label, body) = after.split_once("-----")?;
        rest = body;
        if !label.ends_with("PRIVATE KEY") {
            continue;
        }
        let end = format!("{END}{label}-----");
        let (body, _) = body.split_once(&end)?;
        let content: String = body.split_whitespace().collect();
        let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
        if content.bytes().all(is_base64) {
            return Some(format!("{BEGIN}{label}-----\n{content}\n{end}\n"));
        }
        let (head, content) = encrypted(&content)?;
        return Some(format!("{BEGIN}{label}-----\n{head}\n\n{content}\n{end}\n"));
    }
}

/// The lines by which the old form says how it is encrypted, and what follows them, of a text without blanks.
fn encrypted(packed: &str) -> Option<(String, &str)> {
    let rest = packed.strip_prefix("Proc-Type:4,ENCRYPTEDDEK-Info:")?;
    let (cipher, rest) = rest.split_once(',')?;
    // The initial vector has the length of a block, in hexadecimal digits.
    let digits = if cipher.starts_with("AES") { 32 } else { 16 };
    let (vector, content) = rest.split_at_checked(digits)?;
    Some((
        format!("Proc-Type: 4,ENCRYPTED\nDEK-Info: {cipher},{vector}"),
        content,
    ))
}

/// Whether the key, in the form that [`find`] gives, says that it is encrypted. The form of OpenSSH does not.
pub(crate) fn is_encrypted(pem: &str) -> bool {
    pem.contains("ENCRYPTED") || (is_putty(pem) && !pem.contains("Encryption: none"))
}

/// Whether this is a file of PuTTY's, which has lines of its own kind.
pub(crate) fn is_putty(text: &str) -> bool {
    text.starts_with(PUTTY)
}

/// Whether this is a line as a `.pub` file or `authorized_keys` holds it.
fn is_public_line(text: &str) -> bool {
    ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"]
        .iter()
        .any(|kind| text.starts_with(kind))
        && text.contains(" AAAA")
}

/// Everything by which a text that may hold a private key could be shown, whole or in part, for
/// [`action::redact::hide`], which knows of quotes and lines by itself.
pub(crate) fn forms(text: &str) -> Vec<String> {
    let mut forms = Vec::new();
    for reading in readings(text) {
        let secret = without_head(&reading);
        let words = secret.split_whitespace();
        for word in words.filter(|word| word.len() >= 8 && !is_plain(word)) {
            // Where a line begins within three bytes of a longer text decides how it is written in base64.
            forms.extend((0..3).filter_map(|skip| {
                let bytes = word.as_bytes().get(skip..)?;
                Some(BASE64.encode(&bytes[..bytes.len() / 3 * 3]))
            }));
            forms.push(word.to_owned());
        }
        // Its last bytes depend on whether a line end comes behind.
        let mut packed = BASE64.encode(reading.as_bytes());
        packed.truncate(packed.len().saturating_sub(4));
        for length in LINES {
            let lines = packed.as_bytes().chunks(length);
            forms.extend(lines.map(|line| String::from_utf8_lossy(line).into_owned()));
        }
        // Together, because a line may be too short to be hidden by itself.
        let lines: Vec<&str> = secret.split_inclusive('\n').collect();
        let parts = lines.split(|line| is_plain_line(line.trim()));
        forms.extend(parts.map(|part| part.concat().trim().to_owned()));
    }
    forms
}

/// The text without what PuTTY writes before the private half of a key, and without the comment of a public one.
fn without_head(reading: &str) -> Cow<'_, str> {
    let private = reading.split_once(PUTTY).and_then(|(before, key)| {
        let (head, private) = key.split_once("Private-Lines:")?;
        (!head.contains("PRIVATE")).then(|| format!("{before}{private}"))
    });
    match private {
        Some(private) => Cow::Owned(private),
        None if is_public_line(reading)
            && !reading.contains(['\n', '\r'])
            && !reading.contains("PRIVATE") =>
        {
            Cow::Borrowed("")
        }
        None => Cow::Borrowed(reading),
    }
}

/// Whether a word of a key file is the same in the files of others.
fn is_plain(word: &str) -> bool {
    let word = word.trim_matches(['"', '\'', ',']);
    let is_algorithm = word
        .parse()
        .is_ok_and(|algorithm| !matches!(algorithm, Algorithm::Other(_)));
    is_algorithm
        || ["-----BEGIN", "-----END", "KEY-----", "CERTIFICATE-----"].contains(&word)
        || [
            "ENCRYPTED",
            "Proc-Type:",
            "4,ENCRYPTED",
            "DEK-Info:",
            "Private-MAC:",
        ]
        .contains(&word)
}

/// Whether a line of a key file has such words alone.
fn is_plain_line(line: &str) -> bool {
    let label = line
        .strip_prefix("-----")
        .and_then(|line| line.strip_suffix("-----"));
    label.is_some_and(|label| !label.contains("--"))
        || (!line.is_empty() && line.split_whitespace().all(is_plain))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
    use action::redact;
    use action::settings::secret::Secret;
    use data_encoding::BASE64;
    use russh::keys::key::safe_rng;
    use russh::keys::ssh_key::LineEnding;
    use russh::keys::{Algorithm, PrivateKey as Pair};
    use serde_json::json;

    use super::{find, forms, is_meant};
    use crate::private_key::PrivateKey;

    fn encode(text: impl AsRef<[u8]>) -> String {
        BASE64.encode(text.as_ref())
    }

    fn pem() -> (String, String) {
        let key = Pair::random(&mut safe_rng(), Algorithm::Ed25519).unwrap();
        let pem = key.to_openssh(LineEnding::LF).unwrap().to_string();
        (pem, key.public_key().to_openssh().unwrap())
    }

    /// The ways in which people keep a text of several lines.
    fn kept(pem: &str) -> Vec<String> {
        let flat = pem.trim().replace('\n', " ");
        let escaped = pem.replace('\n', "\\n");
        let mut ways = vec![
            pem.to_owned(),
            pem.trim().to_owned(),
            pem.replace('\n', "\r\n"),
            format!("\u{feff}{pem}"),
            pem.replace('\n', "\n    "),
            format!("\n\n  {}\n\n", pem.replace('\n', "\n\n")),
            pem.replace('\n', ""),
            pem.replace('\n', "\\r\\n"),
            format!("'{escaped}'"),
            format!("\"{escaped}\""),
            json!(pem).to_string(),
            json!({"user": "deploy", "pem": pem}).to_string(),
            json!({ "pem": flat }).to_string(),
            json!({ "pem": escaped }).to_string(),
            json!({"keys": [pem]}).to_string(),
            flat,
            escaped,
        ];
        let packed: Vec<String> = ways.iter().map(encode).collect();
        let lines = |text: &String, length| {
            let lines = text.as_bytes().chunks(length);
            lines
                .map(String::from_utf8_lossy)
                .collect::<Vec<_>>()
                .join("\n")
        };
        ways.extend([lines(&packed[0], 76), lines(&packed[0], 64)]);
        ways.push(packed[1].trim_end_matches('=').to_owned());
        ways.push(json!({ "pem": packed[0] }).to_string());
        ways.extend(packed);
        ways
    }

    #[test]
    fn a_key_is_found_however_it_is_kept() {
        let (pem, public) = pem();
        for text in kept(&pem) {
            assert!(is_meant(&text), "{text}");
            let key =
                PrivateKey::parse(&text, None).unwrap_or_else(|fault| panic!("{fault}: {text}"));
            assert_eq!(key.public_line().unwrap(), public, "{text}");
        }
        assert!(!is_meant("/home/u/.ssh/id_ed25519") && !is_meant("deploy key.pem"));
    }

    #[test]
    fn what_is_no_key_is_named_without_a_word_of_it() {
        let ((pem, public), (other, _)) = (self::pem(), self::pem());
        let lines: Vec<&str> = pem.lines().collect();
        let cut = "holds a part of a private key";
        for (text, told) in [
            (lines[..3].join("\n"), cut),
            (lines[2..].join("\n"), cut),
            (lines[1..lines.len() - 1].join("\n"), cut),
            (pem[..pem.len() - 60].to_owned(), cut),
            (pem[60..].to_owned(), cut),
            (pem.replace("OPENSSH PRIVATE KEY-----\nb3", "OPENSSH PRIVATE KEY-----\n.b3"), cut),
            (format!("{}\n{}", lines[..4].join("\n"), lines[6..].join("\n")), "cannot be used"),
            (public.clone(), "holds a public key"),
            (format!("restrict {public}"), "holds no private key"),
            (json!({"a": pem, "b": other}).to_string(), "several private keys"),
            (json!({"a": "x"}).to_string(), "holds no private key"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----".to_owned(), "a certificate"),
            ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----".to_owned(), "a public key"),
            ("-----BEGIN RSA PRIVATE KEY----- Proc-Type: 4,ENCRYPTED DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF AAAA -----END RSA PRIVATE KEY-----".to_owned(), "has a passphrase"),
            ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----".to_owned(), "has a passphrase"),
            ("PuTTY-User-Key-File-3: ssh-ed25519 Encryption: none Comment: x".to_owned(), "PuTTY"),
        ] {
            for text in kept(&text) {
                let fault = PrivateKey::parse(&text, None).unwrap_err().to_string();
                assert!(fault.contains(told), "{fault}: {text}");
                let is_shown = |word: &&str| word.len() > 12 && fault.contains(word);
                assert_eq!(text.split_whitespace().find(is_shown), None, "{fault}");
            }
        }
        assert!(find("").is_err() && find("{").is_err() && find("-----BEGIN ").is_err());
    }

    /// A key as `puttygen` writes it.
    const PUTTY: &str = "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nComment: eddsa-key-20261130 of releases\nPublic-Lines: 2\nAAAAC3NzaC1lZDI1NTE5AAAAIKcXXpublicXXpublicXXpublicXXpublicXXpubl\nicXXpublicXXpubl\nPrivate-Lines: 1\nAAAAIPrivateXXhalfXXofXXtheXXkeyXXthatXXnobodyXXsees\nPrivate-MAC: 8a1df1e2f5b0d4d1c1b8a7e6f5d4c3b2a19f8e7d6c5b4a39281706f5e4d3c2b1\n";

    #[test]
    fn the_plain_words_of_a_key_file_are_no_secrets() {
        let (pem, public) = pem();
        let encrypted = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAAsecret\n-----END RSA PRIVATE KEY-----\n";
        let texts = [
            PUTTY.to_owned(),
            pem.clone(),
            encrypted.to_owned(),
            format!("{public} deploy@build-host"),
            json!({ "ppk": PUTTY }).to_string(),
            json!({"private": pem, "public": public}).to_string(),
        ];
        for text in texts.iter().flat_map(|text| kept(text)) {
            let forms = forms(&text);
            for plain in [
                "host key ssh-ed25519 SHA256:mVPhBejnw",
                "-----BEGIN OPENSSH PRIVATE KEY-----",
                "-----END RSA PRIVATE KEY-----",
                "-----BEGIN CERTIFICATE-----",
                "PuTTY-User-Key-File-3: ssh-ed25519",
                "Encryption: none",
                "Public-Lines: 2",
                "Private-Lines: 1",
                "eddsa-key-20261130 of releases",
                "Proc-Type: 4,ENCRYPTED",
            ] {
                let hidden = forms.iter().flat_map(|form| form.lines()).map(str::trim);
                let mut hidden = hidden.filter(|form| form.len() >= redact::SHORTEST);
                assert_eq!(
                    hidden.find(|form| plain.contains(form)),
                    None,
                    "{plain}: {text}"
                );
            }
        }
        let short =
            forms("-----BEGIN EC PRIVATE KEY-----\nAAAAsecret\nAB==\n-----END EC PRIVATE KEY-----");
        assert!(short.contains(&"AAAAsecret\nAB==".to_owned()), "{short:?}");
        for text in kept(PUTTY) {
            let forms = forms(&text);
            assert!(
                forms.iter().any(|form| form.contains("AAAAIPrivateXXhalf")),
                "{text}"
            );
        }
    }

    #[test]
    fn a_key_is_hidden_in_whatever_way_it_is_written() {
        let (pem, _) = pem();
        let content: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        for given in [&pem, &kept(&pem)[11], &encode(&pem)] {
            redact::hide(forms(given).into_iter().map(Secret::from));
            for text in kept(&pem) {
                let shown = redact::redacted(&text);
                for part in content.as_bytes().windows(12) {
                    let plain = String::from_utf8_lossy(part);
                    let is_shown = shown.contains(&*plain) || shown.contains(&encode(part));
                    assert!(!is_shown, "{plain} of {text}: {shown}");
                }
            }
        }
    }
}
