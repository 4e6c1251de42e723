//! Releases that somebody or something has changed.

use std::fs;

use super::{TARGET, World};

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
