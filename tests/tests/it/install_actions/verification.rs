//! Releases that somebody or something has changed.

use std::fs;

use super::{TARGET, World, sh, shells};

#[test]
fn a_tampered_archive_is_refused_and_so_is_all_that_was_asked_for_with_it() {
    let Some(world) = World::new() else { return };
    world.release("1.0.0");
    let blob = world.blob_of("1.0.0", &format!("export-vars-1.0.0-{TARGET}.tar.gz"));
    let mut bytes = fs::read(&blob).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&blob, bytes).unwrap();
    let ran = world.dash(&["make-ami", "export-vars"]).run();
    world.refused(
        &ran,
        1,
        "is not what release 1.0.0 names; nothing was installed",
    );
    // What stayed in the cache is not believed either; the sound one alone goes through.
    world.refused(
        &world.dash(&["export-vars"]).run(),
        1,
        "is not what release 1.0.0 names",
    );
    world.dash(&["make-ami"]).run().assert_code(0);
}

/// How a release is spoilt, by what, and what is said of it.
type Spoilt<'a> = (&'a str, &'a dyn Fn(&World), &'a str);

#[test]
fn a_wrong_sum_another_key_and_an_old_list_are_refused_by_either_verifier() {
    for minisign in [true, false] {
        let spoilt: [Spoilt<'_>; 4] = [
            (
                "a sum was changed",
                &|world| {
                    let list = world.at("release/releases/1.0.0/SHA256SUMS");
                    let text = fs::read_to_string(&list).unwrap();
                    let swapped = text.replacen(
                        &text[..4],
                        if text.starts_with("0000") {
                            "1111"
                        } else {
                            "0000"
                        },
                        1,
                    );
                    fs::write(&list, swapped).unwrap();
                },
                "release 1.0.0 is not signed with ACTIONS_PUBLIC_KEY; nothing was installed",
            ),
            (
                "another key",
                &|world| world.sign("1.0.0", "other.sec", "pipeline-actions 1.0.0"),
                "release 1.0.0 is not signed with ACTIONS_PUBLIC_KEY",
            ),
            (
                "another version's list",
                &|world| world.sign("1.0.0", "key.sec", "pipeline-actions 0.9.0"),
                "it is signed as \"pipeline-actions 0.9.0\", not as \"pipeline-actions 1.0.0\"",
            ),
            (
                "a comment that nobody signed",
                &|world| {
                    world.sign("1.0.0", "key.sec", "pipeline-actions 0.9.0");
                    let file = world.at("release/releases/1.0.0/SHA256SUMS.minisig");
                    let text = fs::read_to_string(&file).unwrap();
                    fs::write(&file, text.replace("actions 0.9.0", "actions 1.0.0")).unwrap();
                },
                "release 1.0.0 is not signed with ACTIONS_PUBLIC_KEY",
            ),
        ];
        for (_what, spoil, said) in spoilt {
            let Some(world) = World::new() else { return };
            world.release("1.0.0");
            if minisign {
                world.with_minisign();
            }
            spoil(&world);
            world.refused(&world.dash(&["make-ami"]).run(), 1, said);
        }
    }
}

/// Rewrites the signature of 1.0.0, as text or as bytes.
fn edit(world: &World, change: impl Fn(Vec<String>) -> String) {
    let file = world.at("release/releases/1.0.0/SHA256SUMS.minisig");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, change(text.lines().map(str::to_owned).collect())).unwrap();
}

fn joined(lines: &[String]) -> String {
    lines.join("\n") + "\n"
}

/// Changes the lowest bit of a character of base64.
fn flip(line: &str, at: usize) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut line = line.as_bytes().to_vec();
    let here = ALPHABET.iter().position(|c| *c == line[at]).unwrap();
    line[at] = ALPHABET[here ^ 1];
    String::from_utf8(line).unwrap()
}

/// Spoils a release.
type Spoil = Box<dyn Fn(&World)>;

/// Signatures of which minisign and openssl would make different things, and what is said of each by both.
#[test]
fn one_signature_gets_one_answer_whichever_tool_checks_it() {
    const FORM: &str = "it is not a signature of the present form";
    const UNSIGNED: &str = "the key has not signed this list with this comment";
    let line = |at: usize, change: &'static dyn Fn(&str) -> String| {
        Box::new(move |world: &World| {
            edit(world, |mut lines| {
                lines[at] = change(&lines[at]);
                joined(&lines)
            });
        }) as Spoil
    };
    let cases: Vec<(&str, Spoil, &str)> = vec![
        (
            "the old form",
            Box::new(|world: &World| {
                sh(
                    "minisign -S -l -s key.sec -m release/releases/1.0.0/SHA256SUMS -t 'pipeline-actions 1.0.0' </dev/null >/dev/null",
                    world.folder.path(),
                );
            }),
            "it is of the old form",
        ),
        (
            "line ends of Windows",
            Box::new(|world: &World| edit(world, |lines| joined(&lines).replace('\n', "\r\n"))),
            "it holds a byte that no signature has (0x0d)",
        ),
        (
            "a comment that goes on after a carriage return",
            line(2, &|comment| format!("{comment}\rmore")),
            "it holds a byte that no signature has (0x0d)",
        ),
        (
            "a comment that goes on after a zero",
            line(2, &|comment| format!("{comment}\0more")),
            "it holds a byte that no signature has (0x00)",
        ),
        (
            "garbage after the end",
            Box::new(|world: &World| edit(world, |lines| joined(&lines) + "more\n")),
            FORM,
        ),
        (
            "no last line",
            Box::new(|world: &World| edit(world, |lines| joined(&lines[..3]))),
            FORM,
        ),
        (
            "an empty file",
            Box::new(|world: &World| edit(world, |_| String::new())),
            FORM,
        ),
        (
            "another first line",
            line(0, &|_| "untrusted: x".to_owned()),
            FORM,
        ),
        (
            "a first line without end",
            line(0, &|_| format!("untrusted comment: {}", "x".repeat(2000))),
            FORM,
        ),
        (
            "a comment without its name",
            line(2, &|_| "pipeline-actions 1.0.0".to_owned()),
            FORM,
        ),
        (
            "a signature without padding",
            line(1, &|text| text.trim_end_matches('=').to_owned()),
            FORM,
        ),
        (
            "a space in a signature",
            line(1, &|text| format!("{} {}", &text[..8], &text[8..])),
            FORM,
        ),
        (
            "a signature that goes on",
            line(1, &|text| format!("{text}AAAA")),
            FORM,
        ),
        (
            "bits after a signature",
            line(1, &|text| flip(text, 98)),
            FORM,
        ),
        (
            "bits after the other one",
            line(3, &|text| flip(text, 85)),
            FORM,
        ),
        (
            "another algorithm",
            line(1, &|text| format!("RX{}", &text[2..])),
            FORM,
        ),
        (
            "the id of another key",
            line(1, &|text| flip(text, 7)),
            "it was made with another key: the ids differ",
        ),
        (
            "another signature",
            line(1, &|text| flip(text, 40)),
            UNSIGNED,
        ),
        (
            "another signature of the comment",
            line(3, &|text| flip(text, 40)),
            UNSIGNED,
        ),
        (
            "a comment that nobody signed",
            line(2, &|comment| comment.replace("1.0.0", "1.0.0 ")),
            UNSIGNED,
        ),
        (
            "another key",
            Box::new(|world: &World| world.sign("1.0.0", "other.sec", "pipeline-actions 1.0.0")),
            "it was made with another key: the ids differ",
        ),
        (
            "another comment",
            Box::new(|world: &World| world.sign("1.0.0", "key.sec", "pipeline-actions 1.0.0 ")),
            "it is signed as \"pipeline-actions 1.0.0 \"",
        ),
    ];
    let Some(world) = World::new() else { return };
    world.release("1.0.0");
    let shells = shells();
    let sound = fs::read(world.at("release/releases/1.0.0/SHA256SUMS.minisig")).unwrap();
    // The last line may lack its end: the tools agree.
    let unended = String::from_utf8(sound.clone()).unwrap();
    let unended = unended.trim_end().as_bytes();
    for minisign in [false, true] {
        if minisign {
            world.with_minisign();
        }
        for (at, (_what, spoil, said)) in cases.iter().enumerate() {
            fs::write(
                world.at("release/releases/1.0.0/SHA256SUMS.minisig"),
                &sound,
            )
            .unwrap();
            spoil(&world);
            // Each shell has its turn.
            let ran = world
                .install(&shells[at % shells.len()], &["make-ami"])
                .run();
            world.refused(
                &ran,
                1,
                "release 1.0.0 is not signed with ACTIONS_PUBLIC_KEY",
            );
            ran.assert_stderr(&format!("cause: {said}"));
        }
        fs::write(
            world.at("release/releases/1.0.0/SHA256SUMS.minisig"),
            unended,
        )
        .unwrap();
        for shell in &shells {
            world.install(shell, &["make-ami"]).run().assert_code(0);
            fs::remove_file(world.at("bin/make-ami")).unwrap();
        }
        fs::remove_dir_all(world.at("cache")).unwrap();
    }
}
