#![allow(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;

use super::*;

#[test]
fn an_alias_is_written_out_and_all_other_bytes_stay() {
    for (text, expected) in [
        (
            "# q\r\na: &a\r\n  x: 60 # m\r\n\r\nb:   *a # again\r\n",
            "# q\r\na:\r\n  x: 60 # m\r\n\r\nb:   {x: 60} # again\r\n",
        ),
        ("a: &a text\nb: [*a, *a]\n", "a: text\nb: [text, text]\n"),
        (
            "a: &a !Ref Topic\nb: {c: *a}\n",
            "a: !Ref Topic\nb: {c: !Ref Topic}\n",
        ),
        (
            "a: &a [!Sub '${X}, y', yes, 'yes', 012, ~]\nb: *a\n",
            "a: [!Sub '${X}, y', yes, 'yes', 012, ~]\nb: [!Sub \"${X}, y\", yes, \"yes\", 012, null]\n",
        ),
        (
            "a: &a |\n  one\n  two\nb: *a\n",
            "a: |\n  one\n  two\nb: \"one\\ntwo\\n\"\n",
        ),
        ("k: &k Name\n*k : v\n", "k: Name\nName : v\n"),
        (
            "a: &a {x: 1}\nb: &b {y: *a}\nc: *b\n",
            "a: {x: 1}\nb: {y: {x: 1}}\nc: {y: {x: 1}}\n",
        ),
        (
            "a: &a # why\n  x: 1\nb: *a\n",
            "a: # why\n  x: 1\nb: {x: 1}\n",
        ),
    ] {
        assert_eq!(expanded(text).unwrap(), expected, "{text}");
    }
}

#[test]
fn a_merge_key_becomes_the_entries_that_it_adds() {
    for (text, expected) in [
        (
            "a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  y: 3\n",
            "a: {x: 1, y: 2}\nb:\n  x: 1\n  y: 3\n",
        ),
        (
            "a: &a {x: 1, y: 2}\nb:\n  - <<: *a\n    z: 3\n",
            "a: {x: 1, y: 2}\nb:\n  - x: 1\n    y: 2\n    z: 3\n",
        ),
        (
            "a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {<<: [*a, *b], z: 3}\n",
            "a: {x: 1}\nb: {x: 2, y: 2}\nc: {x: 1, y: 2, z: 3}\n",
        ),
        (
            "a: &a {x: 1}\nb:\n  <<: *a\n  x: 2\n",
            "a: {x: 1}\nb:\n  x: 2\n",
        ),
        (
            "a: &a {x: 1}\nb: {<<: *a, x: 2}\nc: {x: 2, <<: *a}\n",
            "a: {x: 1}\nb: {x: 2}\nc: {x: 2}\n",
        ),
        ("a: &a {}\nb:\n  <<: *a\n", "a: {}\nb:\n  {}\n"),
        (
            "a: &a {x: 1}\nb: {\n  <<: *a,\n  y: 2\n}\n",
            "a: {x: 1}\nb: {\n  x: 1,\n  y: 2\n}\n",
        ),
        ("a: {<<: {x: 1}, y: 2}\n", "a: {x: 1, y: 2}\n"),
    ] {
        assert_eq!(expanded(text).unwrap(), expected, "{text}");
    }
}

#[test]
fn a_text_without_aliases_stays_as_it_is() {
    for text in ["a: &a 1\nb: '*a'\n", "\"<<\": x\n", "a: *\n".trim_end()] {
        let kept = expanded(text);
        assert!(kept.is_err() || kept == Ok(text.to_owned()), "{text}");
    }
    assert!(matches!(
        expanded("a: *nope\n"),
        Err(ExpandError::Unreadable(_))
    ));
}

#[test]
fn what_would_change_is_refused() {
    // The first `a` is no part of the tree: a key that appears twice.
    let text = "x: &x 1\na: *x\na: 2\n";
    assert_eq!(expanded(text), Err(ExpandError::Changed));
}

proptest! {
    /// Whatever comes out means the same, and nothing makes it panic.
    #[test]
    fn any_text_is_written_out_or_refused(text in "(a: )?&?[ab]?[ab:&*<{}\\[\\],|>#'!\"\n -]{0,40}(\n[ab]: \\*[ab]|\n<<: \\*[ab])?\n?") {
        if let Ok(done) = expanded(&text) {
            let (old, new) = (yaml::read("", &text).unwrap(), yaml::read("", &done).unwrap());
            prop_assert!(is_same(&old.root, &new.root));
        }
    }

    #[test]
    fn what_is_written_out_means_the_same(
        value in "[a-z0-9:#{}\\[\\], '\"!.~-]{0,12}", block in any::<bool>(), list in any::<bool>(),
    ) {
        let quoted = serde_json::Value::from(value.as_str()).to_string();
        let anchored = if block {
            format!("a: &a\n  x: {quoted}\n  y: [1, {quoted}]\n")
        } else {
            format!("a: &a {{x: {quoted}, y: [1, {quoted}]}}\n")
        };
        let text = if list {
            format!("{anchored}b:\n  - *a\n  - <<: *a\n    y: 2\n")
        } else {
            format!("{anchored}b: *a\nc:\n  <<: *a\n  z: {quoted}\n")
        };
        let done = expanded(&text).unwrap();
        prop_assert!(!done.contains('&') || value.contains('&'));
        let (old, new) = (yaml::read("", &text).unwrap(), yaml::read("", &done).unwrap());
        prop_assert!(is_same(&old.root, &new.root));
        prop_assert!(new.aliases.is_empty());
    }
}
