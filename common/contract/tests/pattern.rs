//! AllowedPattern beside the engine that CloudFormation has: Java's.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use contract::parameters::pattern::matches;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

/// Reads lines of a pattern, a tab and a text, and says of each whether the whole text matches.
const JAVA: &str = r#"
import java.io.*;
import java.util.regex.*;

class Match {
    public static void main(String[] arguments) throws IOException {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] parts = line.split("\t", -1);
            try {
                System.out.println(Pattern.compile(parts[0]).matcher(parts[1]).matches());
            } catch (PatternSyntaxException error) {
                System.out.println("no pattern: " + error.getDescription());
            }
        }
    }
}
"#;

/// Patterns out of the pieces of which patterns are made, now and then badly joined, each with a text that it may
/// match.
fn patterns() -> impl Strategy<Value = (String, String)> {
    let one_of = |pairs: &'static [(&'static str, &'static str)]| {
        prop::sample::select(pairs)
            .prop_map(|(pattern, text)| (pattern.to_owned(), text.to_owned()))
    };
    let common = prop_oneof![
        4 => "[a-c0-1 ,:/@#%&=~<>!_'\"-]".prop_map(|text| (text.clone(), text)),
        3 => one_of(&[
            (r"\d", "0"), (r"\D", "a"), (r"\w", "_"), (r"\W", "-"), (r"\s", " "), (r"\S", "a"), (r"\.", "."),
            (r"\-", "-"), (r"\/", "/"), (r"\_", "_"), (r"\x41", "A"), (r"\x2d", "-"), (r"\\", "\\"), (r"\[", "["),
            (r"\]", "]"), (r"\^", "^"), (r"\:", ":"), (r"\@", "@"), (r"\~", "~"), (".", "x"), ("^", ""), ("$", ""),
            ("|", ""),
        ]),
        2 => (r"\[\^?[a-c0-1.^$*&~:-]{1,4}\]", "[a-c0-1.]"),
        2 => one_of(&[
            ("[a-z]", "b"), ("[^a-b]", "c"), (r"[\w-]", "-"), (r"[\d.]", "."), (r"[a\-c]", "-"),
            (r"[\x20-\x7E]", "~"), ("[a-c-1]", "-"), (r"[\]]", "]"), (r"[\\]", "\\"), ("[,-.]", "-"),
        ]),
    ];
    let odd = one_of(&[
        (r"\b", ""),
        (r"\h", " "),
        (r"\Q", ""),
        (r"\p{Alpha}", "a"),
        (r"\<", "<"),
        (r"\ ", " "),
        (r"\t", " "),
        ("(", ""),
        (")", ""),
        ("(?:", ""),
        ("[", "["),
        ("]", "]"),
        ("{", "{"),
        ("}", "}"),
        ("*", ""),
        ("+", ""),
        ("?", ""),
        ("[+--]", "+"),
        ("[a&&b]", "a"),
        (r"[\w-.]", "."),
        ("[]a]", "a"),
        ("[^]a]", "b"),
        ("[a[b]]", "b"),
        ("[.-a]", "A"),
    ]);
    let quantifier = prop_oneof![
        8 => Just(("", 1)),
        4 => prop::sample::select(&[
            ("*", 3), ("+", 2), ("?", 0), ("*?", 0), ("+?", 2), ("??", 1), ("{2}", 2), ("{1,}", 3), ("{0,2}", 1),
            ("{1}?", 1),
        ]),
        1 => prop::sample::select(&[("*+", 1), ("++", 1), ("?+", 1), ("{2,1}", 1), ("{,2}", 1), ("{1,2}+", 1)]),
    ];
    let atom = prop_oneof![12 => common, 1 => odd];
    let piece = (atom, quantifier).prop_map(|((pattern, text), (quantifier, times))| {
        (format!("{pattern}{quantifier}"), text.repeat(times))
    });
    prop::collection::vec(piece.clone(), 1..5)
        .prop_map(|pieces| pieces.into_iter().unzip::<_, _, Vec<_>, Vec<_>>())
        .prop_map(|(patterns, texts)| (patterns.concat(), texts.concat()))
        .prop_recursive(2, 8, 3, move |inner| {
            (piece.clone(), inner.clone(), inner, "(|[|])").prop_map(|(piece, one, two, or)| {
                let pattern = format!("(?:{}){}{or}({})", one.0, piece.0, two.0);
                (pattern, format!("{}{}{}", one.1, piece.1, two.1))
            })
        })
}

#[test]
fn what_is_known_of_a_pattern_is_what_java_says() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("Match.java"), JAVA).unwrap();
    let mut runner = TestRunner::deterministic();
    let mut pairs = Vec::new();
    let patterns = patterns();
    for _ in 0..2000 {
        let (pattern, text) = patterns.new_tree(&mut runner).unwrap().current();
        let others = (0..3).map(|_| {
            "[a-cA01 .,:/@_\\\\\\]\\[^$&~-]{0,6}"
                .new_tree(&mut runner)
                .unwrap()
                .current()
        });
        for text in std::iter::once(text).chain(others.collect::<Vec<_>>()) {
            if let Some(ours) = matches(&pattern, &text) {
                pairs.push((pattern.clone(), text, ours));
            }
        }
    }
    let lines = pairs
        .iter()
        .fold(String::new(), |mut lines, (pattern, text, _)| {
            let _ = writeln!(lines, "{pattern}\t{text}");
            lines
        });
    let spawned = Command::new("java")
        .arg("Match.java")
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut java) = spawned else {
        harness::missing("java");
        return;
    };
    let mut input = java.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = java.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    let answers = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<&str> = answers.lines().collect();
    assert_eq!(answers.len(), pairs.len());
    for ((pattern, text, ours), theirs) in pairs.iter().zip(answers) {
        assert_eq!(ours.to_string(), theirs, "{pattern}\t{text}");
    }
    let known = |wanted: bool| pairs.iter().filter(|(.., ours)| *ours == wanted).count();
    assert!(
        known(true) > 200 && known(false) > 1000,
        "{} {}",
        known(true),
        known(false)
    );
}
