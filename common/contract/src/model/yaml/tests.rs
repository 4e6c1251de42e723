#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use proptest::prelude::*;
use serde_json::json;

use serde_json::Value;

use super::*;

fn fails(text: &str) -> String {
    parse("t.yml", text).unwrap_err().to_string()
}

#[test]
fn cloudformation_tags_are_kept() {
    let root = parse(
        "t.yml",
        "a: !Ref X\nb: !GetAtt X.Arn\nc: !Sub ['${A}', {A: 1}]\nd: !If [C, 1, 2]\ne: !!str 5\nf: ! x\n",
    )
    .unwrap();
    let tag = |key: &str| root.get(key).unwrap().tag.clone();
    assert_eq!(tag("a").as_deref(), Some("!Ref"));
    assert_eq!(tag("b").as_deref(), Some("!GetAtt"));
    assert_eq!(tag("c").as_deref(), Some("!Sub"));
    assert_eq!(tag("d").as_deref(), Some("!If"));
    assert_eq!(tag("e"), None);
    assert_eq!(tag("f"), None);
}

#[test]
fn plain_scalars_get_their_json_type_and_nothing_more() {
    let root = parse(
        "t.yml",
        "[true, 'true', 12, -1.5, 0755, yes, ~, '', 111122223333, 12345678901234567890123, 1.10]",
    )
    .unwrap();
    assert_eq!(
        root.to_json(),
        json!([
            true,
            "true",
            12,
            -1.5,
            "0755",
            "yes",
            null,
            "",
            111_122_223_333_u64,
            "12345678901234567890123",
            "1.10"
        ])
    );
}

#[test]
fn json_is_read_by_the_same_parser() {
    let text =
        "{\n\t\"a\\/b\": [1, \"\\u00e9\\ud83d\\ude00\", null, {}],\n\t\"c\": \"x: y # z\"\n}\n";
    let ours = parse("t.json", text).unwrap().to_json();
    let theirs: Value = serde_json::from_str(text).unwrap();
    assert_eq!(ours, theirs);
}

#[test]
fn aliases_are_resolved_at_their_own_place() {
    let root = parse("t.yml", "a: &x [1, 2]\nb: *x\n").unwrap();
    assert_eq!(root.to_json(), json!({"a": [1, 2], "b": [1, 2]}));
    assert_eq!(root.get("b").unwrap().place.line, 2);
}

#[test]
fn what_is_merged_stands_among_the_entries() {
    let text = "a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc:\n  <<: [*a, *b]\n  x: 9\nd: {'<<': 1}\n";
    let read = read("t.yml", text).unwrap();
    let root = &read.root;
    assert_eq!(
        root.get("c").unwrap().to_json(),
        json!({"x": 9, "y": 2, "z": 4})
    );
    assert_eq!(root.get("d").unwrap().to_json(), json!({"<<": 1}));
    let line = |place: &Place| place.line;
    assert_eq!(read.aliases.iter().map(line).collect::<Vec<_>>(), [4, 4]);
    assert_eq!(read.merges.len(), 1);
    assert_eq!(
        (read.merges[0].place.line, read.merges[0].added.len()),
        (4, 2)
    );
    let c = root.get("c").unwrap().place;
    assert_eq!(&text[c.start..c.end], "<<: [*a, *b]\n  x: 9");
}

#[test]
fn of_a_key_that_stands_twice_the_last_counts() {
    let read = read("t.yml", "a: 1\nb: 2\na: 3\n").unwrap();
    assert_eq!(read.root.to_json(), json!({"a": 3, "b": 2}));
    assert_eq!(
        read.twice[0].to_string(),
        "t.yml:3:1: key `a` appears twice, first on line 1\n  hint: remove or rename one: some readers take the last, others refuse"
    );
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let before = format!("*a{}", level - 1);
        let row = vec![before; 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{row}]\n"));
    }
    assert!(fails(&text).contains("more than 200000 values"));
}

#[test]
fn faults_have_a_place_and_a_hint() {
    assert_eq!(
        fails("a: 1\nb: 2\na: 3\n"),
        "t.yml:3:1: key `a` appears twice, first on line 1\n  hint: remove or rename one: some readers take the last, others refuse"
    );
    assert!(fails("a: 1\n---\nb: 2\n").starts_with("t.yml:2:1: a second document"));
    assert!(fails("[a, b]: 1\n").starts_with("t.yml:1:1: a key must be text"));
    assert!(fails("a: [1, 2\nb: 3\n").contains("not valid YAML"));
    assert!(fails("a: *nope\n").contains("t.yml:1:4: not valid YAML"));
    assert!(fails("a:\n\t- b\n").contains("tab"));
    assert!(fails("a: \"open\n").contains("hint"));
    assert!(fails("a: &a [*a]\n").contains("alias"));
}

#[test]
fn bytes_that_are_not_utf8_are_named() {
    let error = parse_bytes("t.yml", b"a: 1\nb: \xff\n")
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("t.yml:2:4: byte 0xff at offset 8 is not UTF-8"),
        "{error}"
    );
}

#[test]
fn an_empty_text_is_nothing() {
    for text in ["", "\n", "# only a comment\n", "---\n"] {
        assert!(parse("t.yml", text).unwrap().is_null(), "{text:?}");
    }
}

#[test]
fn spans_point_at_the_source() {
    let text = "a:\n  b: 'x y'\n  c: [1, {d: e}]\n# tail\n\nf: !Sub |\n  one\n  two\ng: last\n";
    let root = parse("t.yml", text).unwrap();
    let slice = |node: &Node| &text[node.place.start..node.place.end];
    let a = root.get("a").unwrap();
    assert_eq!(slice(a), "b: 'x y'\n  c: [1, {d: e}]");
    assert_eq!(slice(a.get("b").unwrap()), "'x y'");
    assert_eq!(slice(a.get("c").unwrap()), "[1, {d: e}]");
    assert_eq!(slice(root.get("g").unwrap()), "last");
    let f = root.get("f").unwrap();
    assert_eq!(f.as_str(), Some("one\ntwo\n"));
    assert_eq!((f.place.line, f.first_text_line()), (7, 7));
    assert_eq!(slice(f), "one\n  two\n");
    assert_eq!(slice(&root), text.trim_end());
}

#[test]
fn leading_blank_lines_of_a_block_count_as_its_text() {
    let root = parse("t.yml", "a:\n  - |\n\n\n    one\n").unwrap();
    let item = &root.get("a").unwrap().as_sequence().unwrap()[0];
    assert_eq!(item.as_str(), Some("\n\none\n"));
    assert_eq!((item.place.line, item.first_text_line()), (5, 3));
}

fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        // YAML, unlike JSON, refuses raw control characters.
        "[\\PC\n\t\"\\\\]{0,12}".prop_map(Value::from),
        Just(Value::Null),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map("[a-zA-Z:# ]{1,8}", inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn check_spans(text: &str, node: &Node, outer: std::ops::Range<usize>) {
    let Place { start, end, .. } = node.place;
    assert!(outer.start <= start && start <= end && end <= outer.end);
    let at = place_of_offset(text, start);
    assert_eq!((at.line, at.column), (node.place.line, node.place.column));
    match &node.content {
        Content::Scalar(..) => {
            // What the span covers, read alone, is the scalar itself.
            let alone = parse("s", &text[start..end]).unwrap();
            assert_eq!(alone.to_json(), node.to_json());
        }
        Content::Sequence(items) => {
            for item in items {
                check_spans(text, item, start..end);
            }
        }
        Content::Mapping(entries) => {
            for (key, value) in entries {
                check_spans(text, key, start..end);
                check_spans(text, value, start..end);
            }
        }
    }
}

proptest! {
    #[test]
    fn any_json_is_read_as_serde_reads_it_and_every_span_holds(value in tree()) {
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let node = parse("t.json", &text).unwrap();
            prop_assert_eq!(node.to_json(), value.clone());
            check_spans(&text, &node, 0..text.len());
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic_and_a_fault_has_a_line(text in "[ -~\n\t]{0,60}") {
        match parse("t.yml", &text) {
            Ok(node) => drop(node.to_json()),
            Err(finding) => prop_assert!(finding.place.is_some_and(|at| at.line >= 1)),
        }
    }
}
