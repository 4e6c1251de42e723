//! An edit changes the value that it names and no other byte.
#![no_main]

use contract::edit::{Edit, Value, apply};
use contract::yaml::{self, Content, Node};
use libfuzzer_sys::fuzz_target;

const NEW: &str = "https://b.s3.eu-west-1.amazonaws.com/k.zip";

/// The values (no keys) that can be edited, in the order of the text.
fn values<'a>(node: &'a Node, found: &mut Vec<&'a Node>) {
    match &node.content {
        Content::Scalar(..) => found.push(node),
        Content::Sequence(items) => items.iter().for_each(|item| values(item, found)),
        Content::Mapping(entries) => entries.iter().for_each(|(_, value)| values(value, found)),
    }
}

fuzz_target!(|input: (usize, bool, &str)| {
    let (chosen, mapping, text) = input;
    let Ok(root) = yaml::parse("f", text) else { return };
    let mut found = Vec::new();
    values(&root, &mut found);
    // Nothing at all has no bytes that could be replaced.
    found.retain(|node| node.place.start < node.place.end);
    if found.is_empty() {
        return;
    }
    let node = found[chosen % found.len()];
    let value = if mapping {
        Value::Mapping(vec![("S3Bucket", "b".to_owned()), ("S3Key", NEW.to_owned())])
    } else {
        Value::Text(NEW.to_owned())
    };
    let Ok(edit) = Edit::of(node, value) else { return };
    let done = apply(text, &[edit]).expect("one edit of this text");
    assert!(done.starts_with(&text[..node.place.start]));
    assert!(done.ends_with(&text[node.place.end..]));
    let again = yaml::parse("f", &done).expect("the edited text is read again");
    // An alias of the edited value changes with it, so only texts without any are compared.
    if !mapping && !text.contains('*') {
        let mut values_now = Vec::new();
        values(&again, &mut values_now);
        values_now.retain(|node| node.place.start < node.place.end);
        assert_eq!(values_now.len(), found.len());
        for (at, (old, new)) in found.iter().zip(&values_now).enumerate() {
            let expected = if at == chosen % found.len() { Some(NEW) } else { old.as_str() };
            assert_eq!(new.as_str(), expected);
        }
    }
});
