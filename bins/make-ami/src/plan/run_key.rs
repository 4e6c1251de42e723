//! The key of a run: all that makes two tries one run, as the value of a tag.
//!
//! An image is adopted by its key alone, so that two different runs must never share one. The key is in plain words
//! where the run can be read back from them, and the digest of the whole run where it cannot.

use crate::plan::name;
use crate::plan::tag_value::{MAX_TAG_BYTES, hex};
use crate::settings::modes::Consistency;
use sha2::{Digest as _, Sha256};

/// The first part of a key outside of a build.
const LOCAL: &str = "local";
/// The first part of a key that is a digest.
const DIGEST: &str = "sha256";
/// What precedes the application at the end of a key. No image's name holds `=`.
const APP: &str = "/app=";

/// What makes two tries one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    /// The build's id, or what the user says; nothing outside of a build.
    pub(crate) build: Option<String>,
    /// The instance's id.
    pub(crate) instance: String,
    /// How still the instance is.
    pub(crate) mode: Consistency,
    /// The image's name: its template in a build, and as filled in outside of one.
    pub(crate) name: String,
    pub(crate) app: Option<String>,
}

impl Run {
    /// The key: at most 256 bytes, without the wildcards of a filter. Two different runs have two different keys.
    pub(crate) fn key(&self) -> String {
        self.plain().unwrap_or_else(|| self.digest())
    }

    /// The key that earlier versions gave the run, where that could mean no other run of the application: they left
    /// the application out, and cut and replaced what did not fit.
    pub(crate) fn former_key(&self) -> Option<String> {
        self.app.as_ref()?;
        let without_app = Self {
            app: None,
            ..self.clone()
        };
        without_app.plain()
    }

    /// The key in plain words, where this very run can be read back from it.
    fn plain(&self) -> Option<String> {
        let Self {
            instance,
            mode,
            name,
            ..
        } = self;
        let mut text = match &self.build {
            Some(build) => format!("{build}/{instance}/{mode}/{}", without_braces(name)),
            None => format!("{LOCAL}/{instance}/{mode}/{name}"),
        };
        if let Some(app) = &self.app {
            text.push_str(APP);
            text.push_str(app);
        }
        let is_plain = |c: char| !c.is_control() && !"*?\\{}".contains(c);
        let fits = text.len() <= MAX_TAG_BYTES && text.trim() == text && text.chars().all(is_plain);
        (fits && Self::read(&text).as_ref() == Some(self)).then_some(text)
    }

    /// The run that a key in plain words means.
    fn read(text: &str) -> Option<Self> {
        let (text, app) = match text.rsplit_once(APP) {
            Some((text, app)) => (text, Some(app.to_owned())),
            None => (text, None),
        };
        let mut parts = text.splitn(4, '/');
        let build = parts.next()?;
        let instance = parts.next()?.to_owned();
        let mode = parts.next()?.parse().ok()?;
        let name = parts.next()?;
        let (build, name) = match build {
            DIGEST => return None,
            LOCAL => (None, name.to_owned()),
            build => (Some(build.to_owned()), with_braces(name)),
        };
        Some(Self {
            build,
            instance,
            mode,
            name,
            app,
        })
    }

    fn digest(&self) -> String {
        let Self {
            build,
            instance,
            mode,
            name,
            app,
        } = self;
        let mode = mode.to_string();
        // JSON tells where a part ends, and an absent one from an empty one.
        let whole = serde_json::json!([build, instance, mode, name, app]).to_string();
        format!("{DIGEST}/{}", hex(&Sha256::digest(whole)))
    }
}

/// `web-{utc}` as `web-_utc_`: a tag may hold braces, but not every policy and tool that compares tags bears them.
fn without_braces(name: &str) -> String {
    name.replace(['{', '}'], "_")
}

/// `web-_utc_` as `web-{utc}`.
fn with_braces(text: &str) -> String {
    let mut name = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let known = name::PLACEHOLDERS
            .iter()
            .find_map(|known| Some((*known, rest.strip_prefix(&without_braces(known))?)));
        match known {
            Some((known, after)) => {
                name.push_str(known);
                rest = after;
            }
            None => {
                name.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    name
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{MAX_TAG_BYTES, Run};
    use crate::settings::modes::Consistency;
    use proptest::prelude::*;

    const INSTANCE: &str = "i-0123456789abcdef0";

    fn run(build: Option<&str>, name: &str, app: Option<&str>) -> Run {
        Run {
            build: build.map(str::to_owned),
            instance: INSTANCE.to_owned(),
            mode: Consistency::NoReboot,
            name: name.to_owned(),
            app: app.map(str::to_owned),
        }
    }

    #[test]
    fn an_ordinary_run_has_a_key_that_people_read() {
        let key = |build, name, app| run(build, name, app).key();
        assert_eq!(
            key(Some("ami:1"), "{instance}-{utc}-{build}", None),
            format!("ami:1/{INSTANCE}/no-reboot/_instance_-_utc_-_build_")
        );
        assert_eq!(
            key(Some("ami:1"), "my_app/{utc}", Some("rag")),
            format!("ami:1/{INSTANCE}/no-reboot/my_app/_utc_/app=rag")
        );
        assert_eq!(
            key(None, "web-42", None),
            format!("local/{INSTANCE}/no-reboot/web-42")
        );
    }

    #[test]
    fn the_key_of_an_earlier_version_is_known_where_it_means_one_run() {
        let former = |name, app| run(Some("ami:1"), name, app).former_key();
        assert_eq!(
            former("web", Some("rag")).unwrap(),
            format!("ami:1/{INSTANCE}/no-reboot/web")
        );
        assert_eq!(former("web", None), None, "it is the key of today");
        assert_eq!(
            former("web-_utc_", Some("rag")),
            None,
            "it was that of web-{{utc}} too"
        );
        let long = run(Some(&"p".repeat(250)), "web", Some("rag"));
        assert_eq!(long.former_key(), None, "it was cut");
    }

    /// Pairs that had one key, so that the second adopted the image of the first.
    #[test]
    fn runs_that_once_shared_a_key_have_two() {
        let project = "p".repeat(250);
        let builds = ["8f2e9c1a", "0b7d4e55"].map(|id| format!("{project}:{id}"));
        let long = |build: &String| run(Some(build), "web", None);
        let pairs = [
            (long(&builds[0]), long(&builds[1])),
            (
                run(Some("ami:1"), "web-{utc}", None),
                run(Some("ami:1"), "web-_utc_", None),
            ),
            (run(Some("a*b"), "web", None), run(Some("a?b"), "web", None)),
            (
                run(Some("ami:1"), "{app}-{utc}", Some("a")),
                run(Some("ami:1"), "{app}-{utc}", Some("b")),
            ),
            (run(Some("local"), "web", None), run(None, "web", None)),
            (
                run(Some("a"), &format!("b/{INSTANCE}/no-reboot/c"), None),
                run(Some(&format!("a/{INSTANCE}/no-reboot/b")), "c", None),
            ),
        ];
        for (one, other) in pairs {
            assert_ne!(one.key(), other.key(), "{one:?} and {other:?}");
        }
    }

    fn text(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
        let piece = prop::sample::select(pieces);
        prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
    }

    fn any_run() -> impl Strategy<Value = Run> {
        let build = prop_oneof![
            text(&[
                "a",
                "local",
                "sha256",
                "/",
                "i-1",
                "/no-reboot/",
                "*",
                "?",
                "_",
                " ",
                "\\",
                "é"
            ]),
            "[ab]{245,300}",
        ];
        let mode = prop::sample::select(&[Consistency::NoReboot, Consistency::Quiesce][..]);
        let name = text(&[
            "{utc}",
            "_utc_",
            "utc",
            "_",
            "{app}",
            "/",
            "a",
            "/app=",
            "/no-reboot/",
            "{",
            "*",
        ]);
        let app = text(&["a", "/", "/app=", "b"]);
        let instance = prop::sample::select(&["i-1", "i-2"][..]);
        (
            prop::option::of(build),
            instance,
            mode,
            name,
            prop::option::of(app),
        )
            .prop_map(|(build, instance, mode, name, app)| Run {
                build,
                instance: instance.to_owned(),
                mode,
                name,
                app,
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn two_different_runs_never_have_one_key(one in any_run(), other in any_run()) {
            prop_assert_eq!(one == other, one.key() == other.key());
            if let (Some(former), Some(others)) = (one.former_key(), other.former_key()) {
                let same = Run { app: None, ..one.clone() } == Run { app: None, ..other.clone() };
                prop_assert_eq!(same, former == others);
            }
        }

        #[test]
        fn a_key_fits_into_a_tag_and_means_itself_in_a_filter(run in any_run()) {
            let key = run.key();
            prop_assert!(key.len() <= MAX_TAG_BYTES && !key.is_empty());
            prop_assert!(!key.contains(['*', '?', '\\']), "{key}");
            prop_assert!(!key.contains(char::is_control), "{key}");
        }
    }
}
