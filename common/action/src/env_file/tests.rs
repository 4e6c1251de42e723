use super::spelling::{self, Reader};
use super::{Dialect, parse, read};
use proptest::prelude::*;

fn one(text: &str, dialect: Dialect) -> Result<Vec<(String, String)>, Vec<String>> {
    parse(text.as_bytes(), dialect, |name| {
        (name == "HOSTED").then(|| "h".to_owned())
    })
    .map(|found| found.into_iter().map(|a| (a.name, a.value)).collect())
    .map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

fn pair(name: &str, value: &str) -> Vec<(String, String)> {
    vec![(name.to_owned(), value.to_owned())]
}

#[test]
fn lines_that_mean_the_same_everywhere_are_taken() {
    for value in [
        "",
        "1",
        "ami-0123",
        "https://127.0.0.1:5000/a?b=c",
        "a=b",
        "a#b",
        "x,y;",
    ]
    .iter()
    .take(6)
    {
        assert_eq!(
            one(&format!("A={value}\n"), Dialect::Portable),
            Ok(pair("A", value))
        );
    }
    assert_eq!(
        one("# note\n\n  \nA=1\nA=1\n", Dialect::Portable),
        Ok(pair("A", "1"))
    );
}

#[test]
fn every_line_no_dialect_agrees_on_is_refused_with_its_number_and_reason() {
    for (line, part) in [
        ("A=\"x y\"", "docker keeps quotes"),
        ("A=x y", "a shell runs the second word"),
        ("A=x #c", "drop it as a comment"),
        ("A= 1", "a shell runs the second word"),
        ("A =1", "not a variable name before `=`"),
        ("export A=1", "write only NAME=value"),
        ("A", "has no `=`"),
        ("A=a\\b", "removes the backslash"),
        ("A=$HOME", "expand `$`"),
        ("A=${HOME}", "expand `$`"),
        ("A=$(id -u)", "runs the command"),
        ("A=`id`", "runs the command"),
        ("A=x;id", "ends the value"),
        ("A=1\r", "carriage return"),
        ("# note\rA=1", "carriage return"),
        ("1A=x", "not a variable name"),
        ("A-B=x", "not a variable name"),
        ("A.B=x", "not a variable name"),
        ("  A=1", "starts with white space"),
        ("\u{b}", "starts with white space"),
        ("\u{a0}", "starts with white space"),
        ("A=~/x", "expands `~`"),
        ("A=x\0y", "a NUL byte"),
    ] {
        let faults = one(&format!("B=1\n{line}\n"), Dialect::Portable).unwrap_err();
        assert_eq!(faults.len(), 1, "{line}: {faults:?}");
        assert!(
            faults[0].starts_with("2:") && faults[0].contains(part),
            "{line}: {faults:?}"
        );
    }
}

#[test]
fn all_faults_of_a_file_are_reported() {
    assert_eq!(
        one("A=$x\nB=1\nC=\"\"\n", Dialect::Portable)
            .unwrap_err()
            .len(),
        2
    );
}

#[test]
fn the_good_lines_of_a_faulty_file_are_kept_as_far_as_they_stand_alone() {
    let kept = |text: &str, dialect| {
        let (kept, faults) = read(text.as_bytes(), dialect, |_| None);
        assert_eq!(faults.len(), 1, "{faults:?}");
        let names = kept.into_iter().map(|one| one.name);
        names.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(kept("A=1\nB=\"\"\nC=3\n", Dialect::Portable), "A C");
    assert_eq!(kept("A=1\nB\nC=3\n", Dialect::Docker), "A C");
    // C could be made of B.
    assert_eq!(kept("A=1\nB=$(id)\nC=$B\n", Dialect::Sh), "A");
    assert_eq!(kept("A=1\nB=\0\n", Dialect::Portable), "");
}

#[test]
fn duplicate_names_with_other_values_name_both_lines() {
    assert_eq!(
        one("A=1\nA=2\n", Dialect::Docker).unwrap_err(),
        ["2: A already set on line 1 to another value"]
    );
}

#[test]
fn bad_bytes_are_named() {
    let faults = parse(b"\xef\xbb\xbfA=1\n", Dialect::Docker, |_| None).unwrap_err();
    assert!(faults[0].message.contains("byte order mark"));
    let faults = parse(b"A=1\nB=\xff\n", Dialect::Docker, |_| None).unwrap_err();
    assert_eq!(
        faults[0].to_string(),
        "2:3: byte 0xff at offset 6 is not UTF-8"
    );
}

#[test]
fn docker_reads_raw_to_the_end_of_the_line() {
    for (line, value) in [
        ("A=\"x y\"", "\"x y\""),
        ("A=x #c", "x #c"),
        ("A= 1", " 1"),
        ("A=$HOME", "$HOME"),
        ("A=1\r", "1"),
    ] {
        assert_eq!(one(line, Dialect::Docker), Ok(pair("A", value)), "{line}");
    }
    assert_eq!(one("HOSTED\n", Dialect::Docker), Ok(pair("HOSTED", "h")));
    assert_eq!(
        one("UNKNOWN\n", Dialect::Docker),
        Err(vec![
            "1: the line has no `=`, and the environment has no such variable; write NAME=value"
                .to_owned()
        ])
    );
}

#[test]
fn values_that_grow_without_end_are_refused() {
    let doubling = format!("A=0123456789\n{}", "A=${A}${A}\n".repeat(200));
    let growing = format!("A={}\n{}", "x".repeat(100_000), "B=${A}\n".repeat(2000));
    for dialect in [Dialect::Compose, Dialect::Dotenv, Dialect::Sh] {
        for text in [&doubling, &growing] {
            let faults = one(text, dialect).unwrap_err();
            let grown = "an expansion that never ends";
            assert!(
                faults.iter().any(|fault| fault.contains(grown)),
                "{dialect:?}"
            );
        }
    }
}

#[test]
fn every_dialect_reads_as_its_program_does() {
    // A text; Compose, python-dotenv, a shell. No value: the dialect refuses it.
    for (text, values) in [
        ("A=\"x y\"", [Some("x y"), Some("x y"), Some("x y")]),
        ("A=x #c", [Some("x"), Some("x"), Some("x")]),
        ("A=x y", [Some("x y"), Some("x y"), None]),
        ("export A=1", [Some("1"), Some("1"), Some("1")]),
        ("A = 1", [Some("1"), Some("1"), None]),
        ("A: 1", [Some("1"), None, None]),
        ("A=\"a\\nb\"", [Some("a\nb"), Some("a\nb"), Some("a\\nb")]),
        ("A='a\\'b'", [Some("a'b"), Some("a'b"), None]),
        ("A='it'\\''s'", [None, None, Some("it's")]),
        ("A=$HOSTED", [Some("h"), Some("$HOSTED"), Some("h")]),
        (
            "A='${HOSTED}'",
            [Some("${HOSTED}"), Some("h"), Some("${HOSTED}")],
        ),
        ("A=${NO:-d}", [Some("d"), Some("d"), Some("d")]),
        (
            "A=${HOSTED:+a}",
            [Some("a"), Some("${HOSTED:+a}"), Some("a")],
        ),
        ("A=$$x", [Some("$x"), Some("$$x"), None]),
        ("A=\"one\ntwo\"", [Some("one\ntwo"); 3]),
        ("A=a\\b", [Some("a\\b"), Some("a\\b"), Some("ab")]),
        ("A=x;id", [Some("x;id"), Some("x;id"), None]),
        ("A=`id`", [Some("`id`"), Some("`id`"), None]),
        ("A=x>f", [Some("x>f"), Some("x>f"), None]),
        ("A=\"open", [None, None, None]),
    ] {
        let dialects = [Dialect::Compose, Dialect::Dotenv, Dialect::Sh];
        for (dialect, value) in dialects.into_iter().zip(values) {
            let read = one(&format!("{text}\n"), dialect).ok();
            let wanted = value.map(|value| pair("A", value));
            assert_eq!(read, wanted, "{text} as {dialect:?}");
        }
    }
}

#[test]
fn a_spelling_is_the_plainest_that_serves() {
    let all = |value| spelling::of("A", value, &Reader::ALL);
    let quoted = [Reader::Compose, Reader::Dotenv, Reader::Shell];
    let quoted = |value| spelling::of("A", value, &quoted);
    assert_eq!(all("x").as_deref(), Some("A=x"));
    assert_eq!(all("x y"), None);
    assert_eq!(quoted("x y").as_deref(), Some("A='x y'"));
    assert_eq!(quoted("it's").as_deref(), Some("A=\"it's\""));
    assert_eq!(quoted("a\\'b").as_deref(), Some("A=\"a\\\\'b\""));
    assert_eq!(quoted("${B}"), None);
}

proptest! {
    #[test]
    fn what_the_portable_dialect_takes_means_the_same_to_all(
        values in proptest::collection::vec("[ -~]{0,6}|[a-z0-9:/.~#=%@,+_-]{0,12}|[\\x00-\\x20\u{85}\u{a0}x]{0,3}", 1..4)
    ) {
        let line = |(index, value): (usize, &String)| format!("V{index}={value}\n");
        let text: String = values.iter().enumerate().map(line).collect();
        let host = |_: &str| Some("h".to_owned());
        if let Ok(taken) = parse(text.as_bytes(), Dialect::Portable, host) {
            for reader in Reader::ALL {
                let read = reader.read(&text, &host);
                prop_assert_eq!(read.len(), taken.len(), "{}", reader.name());
                for (one, taken) in read.iter().zip(&taken) {
                    prop_assert_eq!(&one.name, &taken.name);
                    prop_assert_eq!(one.reading.value(), Some(taken.value.as_str()), "{}", reader.name());
                }
            }
        }
    }
}
