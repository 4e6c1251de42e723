//! As much of XML as a look at an emulator's answer needs.

/// What stands between `<tag>` and `</tag>`, each time.
pub fn all<'a>(xml: &'a str, tag: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
    xml.split(open.as_str())
        .skip(1)
        .map(|rest| rest.split(close.as_str()).next().unwrap_or_default())
        .collect()
}

/// The same, once.
///
/// # Panics
/// When there is none.
#[track_caller]
pub fn one<'a>(xml: &'a str, tag: &str) -> &'a str {
    let found = all(xml, tag);
    assert!(!found.is_empty(), "no <{tag}> in {xml}");
    found[0]
}
