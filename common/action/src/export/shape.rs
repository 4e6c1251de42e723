//! What looks like a secret, by its shape. Output variables are shown in plain text in the console
//! and by `ListActionExecutions`, so a secret must not become one.

/// Names whose values are not for every eye.
const SECRET_WORDS: [&str; 12] = [
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "PASS",
    "PWD",
    "SECRET",
    "TOKEN",
    "CREDENTIAL",
    "CREDENTIALS",
    "APIKEY",
    "AUTH",
    "PRIVATE",
];

/// Prefixes of tokens that their issuers made recognisable, with the fewest characters that follow.
const TOKENS: [(&str, usize, &str); 12] = [
    ("ghp_", 30, "a GitHub token"),
    ("gho_", 30, "a GitHub token"),
    ("ghu_", 30, "a GitHub token"),
    ("ghs_", 30, "a GitHub token"),
    ("ghr_", 30, "a GitHub token"),
    ("github_pat_", 30, "a GitHub token"),
    ("glpat-", 20, "a GitLab token"),
    ("xoxb-", 20, "a Slack token"),
    ("xoxp-", 20, "a Slack token"),
    ("npm_", 30, "an npm token"),
    ("pypi-", 40, "a PyPI token"),
    ("sk_live_", 16, "a Stripe key"),
];

/// Whether the name of a variable says that its value is a secret.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let words: Vec<&str> = name.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    words.iter().any(|word| SECRET_WORDS.contains(word))
        || words.ends_with(&["KEY"]) && words.len() > 1
        || ["PASSWORD", "SECRET", "APIKEY"]
            .iter()
            .any(|part| name.contains(part))
}

/// What kind of credential a value holds, when its shape leaves no doubt.
#[must_use]
pub fn credential(value: &str) -> Option<&'static str> {
    if value.contains("PRIVATE KEY-----") && value.contains("-----BEGIN ") {
        return Some("a private key");
    }
    let words: Vec<&str> = starts(value).collect();
    if words.iter().any(|word| is_access_key(word)) {
        return Some("an AWS access key id");
    }
    if has_password_in_url(value) {
        return Some("a URL with a password");
    }
    TOKENS.iter().find_map(|(prefix, rest, kind)| {
        let held = words.iter().any(|word| {
            let after = word.strip_prefix(prefix);
            after.is_some_and(|after| length_of_token(after) >= *rest)
        });
        held.then_some(*kind)
    })
}

/// Whether a value holds a word that looks drawn at random, such as an AWS secret key: at least 24
/// characters, upper case, lower case and digits in quick turns, more than four bits each. Digests,
/// ids in hexadecimal and names in words do not.
#[must_use]
pub fn is_random(value: &str) -> bool {
    words(value).any(|word| {
        let has = |class: fn(&u8) -> bool| word.bytes().any(|byte| class(&byte));
        word.len() >= 24
            && has(u8::is_ascii_uppercase)
            && has(u8::is_ascii_lowercase)
            && has(u8::is_ascii_digit)
            && turns(word) * 5 >= word.len()
            && bits_per_character(word) > 4.0
    })
}

/// How a value is shown to people: as it is, or masked when its name or shape says that it is a
/// secret.
#[must_use]
pub fn masked(name: &str, value: &str) -> Option<String> {
    let secret = is_secret_name(name) || credential(value).is_some() || is_random(value);
    (secret && !value.is_empty()).then(|| format!("*** ({} bytes)", value.len()))
}

/// Whether a text starts with an access key id: `AKIA` or `ASIA` and sixteen of A to Z and digits, and
/// no letter or digit after them.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>
fn is_access_key(text: &str) -> bool {
    if !text.starts_with("AKIA") && !text.starts_with("ASIA") {
        return false;
    }
    let length = text.bytes().take_while(u8::is_ascii_alphanumeric).count();
    length == 20
        && text[..length]
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// The rest of a text from each place where a letter or digit follows none.
fn starts(value: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    value.char_indices().filter_map(move |(at, c)| {
        let starts = c.is_ascii_alphanumeric() && !inside;
        inside = c.is_ascii_alphanumeric();
        starts.then(|| &value[at..])
    })
}

/// How long the token is that a text starts with.
fn length_of_token(text: &str) -> usize {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-".contains(byte);
    text.bytes().take_while(is_part).count()
}

/// `scheme://user:password@host`.
fn has_password_in_url(value: &str) -> bool {
    value.split("://").skip(1).any(|rest| {
        let authority = rest.split(['/', '?', '#', ' ']).next().unwrap_or_default();
        authority
            .rsplit_once('@')
            .and_then(|(user, _)| user.split_once(':'))
            .is_some_and(|(_, password)| !password.is_empty())
    })
}

/// Runs of the characters that keys and tokens are made of.
fn words(value: &str) -> impl Iterator<Item = &str> {
    value
        .split(|c: char| !(c.is_ascii_alphanumeric() || "+/_-".contains(c)))
        .filter(|word| !word.is_empty())
}

/// How often upper case, lower case and digits follow each other directly.
fn turns(word: &str) -> usize {
    let class = |byte: &u8| match byte {
        b'A'..=b'Z' => Some(0),
        b'a'..=b'z' => Some(1),
        b'0'..=b'9' => Some(2),
        _ => None,
    };
    word.as_bytes()
        .windows(2)
        .filter(|pair| match (class(&pair[0]), class(&pair[1])) {
            (Some(one), Some(next)) => one != next,
            _ => false,
        })
        .count()
}

fn bits_per_character(word: &str) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in word.bytes() {
        counts[usize::from(byte)] += 1;
    }
    let length = f64::from(u32::try_from(word.len()).unwrap_or(u32::MAX));
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = f64::from(*count) / length;
            -share * share.log2()
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::{credential, is_random, is_secret_name, masked};
    use proptest::prelude::*;

    #[test]
    fn names_that_say_secret() {
        for name in [
            "DB_PASSWORD",
            "db.password",
            "GITHUB_TOKEN",
            "MYSECRET",
            "STRIPE_API_KEY",
            "AUTH",
            "CODEBUILD_AUTH_TOKEN",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "AMI_ID",
            "KEY",
            "KEYBOARD",
            "COMPASS",
            "AUTHOR",
            "TOKENIZER",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn credentials_by_shape() {
        for (value, kind) in [
            ("AKIAIOSFODNN7EXAMPLE", Some("an AWS access key id")),
            ("id=ASIAIOSFODNN7EXAMPLE;", Some("an AWS access key id")),
            (
                "-----BEGIN RSA PRIVATE KEY-----\nMIIE",
                Some("a private key"),
            ),
            (
                "ghp_0123456789abcdefghijABCDEFGHIJ012345",
                Some("a GitHub token"),
            ),
            (
                "postgres://app:hunter2@db.internal/app",
                Some("a URL with a password"),
            ),
            ("https://example.com/a:b@c", None),
            ("https://app@example.com/", None),
            ("ami-0123456789abcdef0", None),
            ("AKIAIOSFODNN7EXAMPLEX", None),
            (
                "AKIAIOSFODNN7EXAMPLE/20260101/eu-west-1/s3/aws4_request",
                Some("an AWS access key id"),
            ),
            ("key-AKIAIOSFODNN7EXAMPLE", Some("an AWS access key id")),
            ("xAKIAIOSFODNN7EXAMPLE", None),
            (
                "x_ghp_0123456789abcdefghijABCDEFGHIJ012345",
                Some("a GitHub token"),
            ),
            ("ghp_short", None),
        ] {
            assert_eq!(credential(value), kind, "{value}");
        }
    }

    proptest! {
        #[test]
        fn a_credential_is_seen_between_any_punctuation(
            before in "(|[a-z0-9]{0,8}[ -/:-@\\[-`{-~])",
            after in "(|[ -/:-@\\[-`{-~][a-z0-9]{0,8})",
        ) {
            for token in ["AKIAIOSFODNN7EXAMPLE", "ghp_0123456789abcdefghijABCDEFGHIJ012345"] {
                let value = format!("{before}{token}{after}");
                prop_assert!(credential(&value).is_some(), "{}", value);
            }
        }
    }

    #[test]
    fn random_words_are_noticed_and_digests_are_not() {
        assert!(is_random("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY9"));
        for value in [
            "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "arn:aws:cloudformation:eu-west-1:123456789012:stack/app/51af3dc0-da77-11e4-872e-1234567db123",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1.2.3",
            "My-Application-Release-2026-11-25",
        ] {
            assert!(!is_random(value), "{value}");
        }
    }

    #[test]
    fn what_is_secret_is_masked() {
        assert_eq!(masked("DB_PASSWORD", "x"), Some("*** (1 bytes)".to_owned()));
        assert_eq!(masked("AMI_ID", "ami-0123456789abcdef0"), None);
    }
}
