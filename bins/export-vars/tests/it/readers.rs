//! Our reading of env files against the programs that read them.

use action::env_file::reading::{Reading, Statement};
use action::env_file::spelling::Reader;
use harness::readers::{self, ENVIRONMENT, Read};
use proptest::prelude::*;
use std::collections::BTreeMap;

pub(crate) fn host(name: &str) -> Option<String> {
    let mut pairs = ENVIRONMENT.iter();
    let found = pairs.find(|(known, _)| *known == name)?;
    Some(found.1.to_owned())
}

/// Our reading as the real program would show it. The error is why a file would not be read to its
/// end as assignments.
fn ours(reader: Reader, text: &str) -> Read {
    let mut found = BTreeMap::new();
    for Statement { name, reading, .. } in reader.read(text, &host) {
        match reading {
            Reading::Value(value) | Reading::Inherited(Some(value)) => {
                found.insert(name, Some(value));
            }
            // A shell would export it if it had a value.
            Reading::NoValue if reader == Reader::Shell => {}
            Reading::NoValue => {
                found.insert(name, None);
            }
            Reading::Inherited(None) | Reading::Dropped(_) => {}
            Reading::Refused(why) | Reading::Runs(why) => return Err(why.to_owned()),
        }
    }
    Ok(found)
}

/// Without what the environment has anyway, which a shell passes on whether the file sets it or not.
fn set_by_the_file(reader: Reader, found: Read) -> Read {
    let mut found = found?;
    if reader == Reader::Shell {
        let given =
            |name: &str, value: &Option<String>| host(name).is_some() && host(name) == *value;
        found.retain(|name, value| !given(name, value));
    }
    Ok(found)
}

/// Both read it to the same variables, or both do not read it.
pub(crate) fn agree(reader: Reader, text: &str, real: &Read) -> Result<(), TestCaseError> {
    let ours = set_by_the_file(reader, ours(reader, text));
    match (&ours, real) {
        (Ok(ours), Ok(real)) => prop_assert_eq!(ours, real, "{} of {:?}", reader.name(), text),
        (Err(_), Err(_)) => {}
        _ => prop_assert!(
            false,
            "{} of {text:?}: ours {ours:?}, real {real:?}",
            reader.name()
        ),
    }
    Ok(())
}

fn lines() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        4 => Just("A".to_owned()),
        2 => Just("B".to_owned()),
        1 => "(export |export\t| |\t|)(A|B|A-B|A\\.B|1A|HOSTED|'A'|)( |)",
    ];
    let equals = prop_oneof![8 => Just("="), 1 => Just("= "), 1 => Just(" ="), 1 => Just(""), 1 => Just(":")];
    let value = prop_oneof![
        3 => "[xyz0 \t\"'\\\\$#:{}n=é~-]{0,8}",
        1 => "\"[xn \t'\\\\$#:{}A\n]{0,8}\"[ #x]{0,2}",
        1 => "'[xn \t\"\\\\$#:{}A\n]{0,8}'[ #x]{0,2}",
        1 => "(x|)(\\$A|\\$\\{A\\}|\\$\\{B:-d\\}|\\$\\{B-d\\}|\\$\\{A:\\+a\\}|\\$\\{A\\+a\\}|\\$HOSTED|\\$\\$|\\$1|\\$\\{)(y| y|)",
        1 => "[xyz \t\u{a0}\u{85}\r\u{b}\u{1c}]{0,5}",
    ];
    let line =
        (name, equals, value).prop_map(|(name, equals, value)| format!("{name}{equals}{value}"));
    let end =
        prop_oneof![8 => Just("\n"), 1 => Just("\r\n"), 1 => Just("\n\n# note\n"), 1 => Just("")];
    let start = prop_oneof![12 => Just(""), 1 => Just("\u{feff}")];
    (start, proptest::collection::vec((line, end), 1..4)).prop_map(|(start, lines)| {
        let lines = lines.into_iter().map(|(line, end)| format!("{line}{end}"));
        format!("{start}{}", lines.collect::<String>())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn docker_reads_what_we_say(text in lines()) {
        let Some(real) = readers::docker(text.as_bytes()) else { return Ok(()) };
        agree(Reader::Docker, &text, &real)?;
    }

    #[test]
    fn compose_reads_what_we_say(text in lines()) {
        let Some(real) = readers::compose(text.as_bytes()) else { return Ok(()) };
        agree(Reader::Compose, &text, &real)?;
    }

    #[test]
    fn python_dotenv_reads_what_we_say(texts in proptest::collection::vec(lines(), 24)) {
        let files: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
        let Some(real) = readers::python_dotenv(&files) else { return Ok(()) };
        for (text, real) in texts.iter().zip(&real) {
            agree(Reader::Dotenv, text, real)?;
        }
    }

    #[test]
    fn a_posix_shell_reads_what_we_say(texts in proptest::collection::vec(lines(), 8)) {
        for text in &texts {
            let ours = ours(Reader::Shell, text);
            let Some(real) = readers::dash(text.as_bytes()) else { return Ok(()) };
            // What we refuse although dash can read it is a matter of caution.
            if ours.is_ok() {
                agree(Reader::Shell, text, &real)?;
            }
        }
    }
}
