//! What mends a finding, where there is one right answer.
//!
//! A repair replaces ranges of bytes, and leaves everything else of a file as it is. Whether it mends anything shows
//! when the check is made again over the changed text: see [`mended`].

use std::collections::BTreeMap;
use std::ops::Range;

use crate::check::Report;
use crate::finding::{Finding, Place, Repair};
use crate::model::edit::{self, Edit, Value};
use crate::model::expand;
use crate::model::yaml::{self, Content, Node};

impl Repair {
    /// The text with the change, or nothing when it cannot be made in that form of text.
    fn applied(&self, text: &str) -> Option<String> {
        let edits = match self {
            Self::ExpandAliases => return expand::expanded(text).ok(),
            Self::Replace { place, from, to } => {
                let value = text.get(place.start..place.end)?;
                let found = value.match_indices(from.as_str());
                let edit = |(at, _): (usize, &str)| {
                    let start = place.start + at;
                    Edit::at(start..start + from.len(), to.clone())
                };
                found.map(edit).collect()
            }
            Self::StopPolling { beside } => vec![stop_polling(text, beside)?],
            Self::Export { name, .. } => vec![export(text, name)?],
        };
        edit::apply(text, &edits).ok()
    }
}

/// A file as it would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The file as its user named it.
    pub file: String,
    /// Its text as it is.
    pub before: String,
    /// Its text as it would be.
    pub after: String,
}

/// What repairs make of the files.
#[derive(Debug, Default)]
pub struct Mended {
    /// The files that change, by name.
    pub files: BTreeMap<String, Changed>,
    /// What is mended.
    pub findings: Vec<Finding>,
    /// What is found in the files as they would be.
    pub report: Report,
}

/// Makes the check with these texts, by file name, in place of what is in the files.
pub type Check<'a, E> = dyn Fn(&BTreeMap<String, String>) -> Result<Report, E> + 'a;

/// Tries the repair of each finding, and keeps those that leave fewer findings behind. `check` makes the check with
/// the texts of some files in place of what is in them.
///
/// # Errors
/// That the check cannot be made.
pub fn mended<E>(check: &Check<'_, E>) -> Result<Mended, E> {
    let mut texts = BTreeMap::new();
    let mut mended = Mended {
        report: check(&texts)?,
        ..Mended::default()
    };
    let mut tried: Vec<Finding> = Vec::new();
    loop {
        let untried = |one: &&Finding| one.repair.is_some() && !tried.contains(one);
        let Some(finding) = mended.report.findings.iter().find(untried).cloned() else {
            return Ok(mended);
        };
        tried.push(finding.clone());
        let Some((changed, report)) = tried_out(&finding, &mended.report, &texts, check)? else {
            continue;
        };
        let Changed { file, after, .. } = changed.clone();
        texts.insert(file.clone(), after.clone());
        mended.files.entry(file).or_insert(changed).after = after;
        mended.report = report;
        mended.findings.push(finding);
        // Places have moved.
        tried.clear();
    }
}

/// What the repair of one finding makes of its file, and the report after it; nothing when less is not found with it.
/// `texts` stand in place of what is in the files already.
///
/// # Errors
/// That the check cannot be made.
pub fn tried_out<E>(
    finding: &Finding,
    report: &Report,
    texts: &BTreeMap<String, String>,
    check: &Check<'_, E>,
) -> Result<Option<(Changed, Report)>, E> {
    let change = || {
        let repair = finding.repair.as_ref()?;
        let file = repair.file(finding);
        let before = report.texts.get(file)?;
        Some(Changed {
            file: file.to_owned(),
            before: before.clone(),
            after: repair.applied(before)?,
        })
    };
    let Some(changed) = change() else {
        return Ok(None);
    };
    let mut with = texts.clone();
    with.insert(changed.file.clone(), changed.after.clone());
    let after = check(&with)?;
    let helps = after.findings.len() < report.findings.len();
    Ok(helps.then_some((changed, after)))
}

/// The change that makes a source poll no more.
fn stop_polling(text: &str, beside: &Place) -> Option<Edit> {
    const KEY: &str = "PollForSourceChanges";
    let root = yaml::read("", text).ok()?.root;
    let configuration = around(&root, beside)?;
    match configuration.get(KEY) {
        Some(value) => Edit::of(value, Value::Text("false".to_owned())).ok(),
        None => first_entry(text, configuration, KEY, "'false'"),
    }
}

/// The mapping that has a value at that place.
fn around<'a>(node: &'a Node, place: &Place) -> Option<&'a Node> {
    match &node.content {
        Content::Scalar(..) => None,
        Content::Sequence(items) => items.iter().find_map(|item| around(item, place)),
        Content::Mapping(entries) => {
            let values = || entries.iter().map(|(_, value)| value);
            if values().any(|value| value.place.start == place.start) {
                return Some(node);
            }
            values().find_map(|value| around(value, place))
        }
    }
}

/// A new entry in front of the others, in their manner. The value is a text in single quotes, or a list.
fn first_entry(text: &str, mapping: &Node, key: &str, value: &str) -> Option<Edit> {
    let (first, _) = mapping.as_mapping()?.first()?;
    let at = first.place.start;
    let is_json = text.get(at..)?.starts_with('"');
    let entry = if is_json {
        format!("\"{key}\": {}", value.replace('\'', "\""))
    } else {
        format!("{key}: {value}")
    };
    let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let before = &text[line..at];
    let is_flow = text[mapping.place.start..].starts_with('{');
    let between = match (is_flow, before.trim().is_empty()) {
        (true, true) => format!(",{}{before}", line_end(text)),
        (true, false) => ", ".to_owned(),
        // The first key may stand behind a dash.
        (false, _) => format!("{}{}", line_end(text), " ".repeat(before.chars().count())),
    };
    Some(Edit::at(at..at, format!("{entry}{between}")))
}

/// The change that makes a buildspec export a variable.
fn export(text: &str, name: &str) -> Option<Edit> {
    let root = yaml::read("", text).ok()?.root;
    let Some(env) = root.get("env").filter(|env| !env.is_null()) else {
        let (first, _) = root.entry("phases")?;
        let is_block = first.place.column == 1 && root.get("env").is_none();
        let end = line_end(text);
        let section = format!("env:{end}  exported-variables:{end}    - {name}{end}");
        return is_block.then(|| Edit::at(first.place.start..first.place.start, section));
    };
    let Some(listed) = env.get("exported-variables") else {
        return first_entry(text, env, "exported-variables", &format!("['{name}']"));
    };
    let last = listed.as_sequence()?.last()?;
    let Range { start, end } = last.place.start..last.place.end;
    let is_json = text[start..].starts_with('"');
    let name = if is_json {
        format!("\"{name}\"")
    } else {
        name.to_owned()
    };
    if text[listed.place.start..].starts_with('[') {
        return Some(Edit::at(end..end, format!(", {name}")));
    }
    let line = text[..start].rfind('\n').map_or(0, |end| end + 1);
    let before = text[line..start].trim_end();
    // A dash alone, and so no anchor and no tag.
    let is_item = before.trim_start() == "-" || before.trim_start().ends_with(" -");
    let rest = text[end..]
        .find(['\n', '\r'])
        .map_or(text.len(), |at| end + at);
    let indent = " ".repeat(text[line..start].find('-')?);
    is_item.then(|| Edit::at(rest..rest, format!("{}{indent}- {name}", line_end(text))))
}

/// How the lines of a text end.
fn line_end(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

#[cfg(test)]
mod tests;
