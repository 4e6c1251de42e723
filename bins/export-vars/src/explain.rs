//! How each reader understands each line of an env file, and the spelling that means the same to all.
//!
//! What a reader takes from its own environment is shown as `<NAME>`: the values there are nobody's
//! business. A value whose name or shape says that it is a secret is masked in every column.

use crate::checks::secrets::{self, Known};
use crate::settings::place::EnvFile;
use crate::settings::{Checked, Format};
use crate::sources::environment::not_utf8;
use crate::table;
use action::env_file::explain::{self, Explained, Spelling};
use action::env_file::reading::{Reading, Statement};
use action::env_file::spelling::Reader;
use action::export::name::is_identifier;
use action::export::shape;
use action::failure::Failure;
use action::program::{Context, Output};
use serde_json::{Map, Value, json};

/// What stands around the name of a variable whose value is not shown. No file has these characters.
const OPEN: char = '\u{e0c0}';
const CLOSE: char = '\u{e0c1}';

/// Explains the files that the arguments name.
pub(crate) fn run(settings: &Checked, context: &Context) -> Result<Output, Failure> {
    let mut tables = String::new();
    let mut documents = Vec::new();
    if settings.variables.is_empty() {
        return Err(
            Failure::refused("there is no file to explain").hint("export-vars explain FILE")
        );
    }
    let secrets = secrets::of_context(settings, context)?;
    for path in &settings.variables {
        // A dialect in front, as --from-env-file has it, says nothing here: all are shown.
        let file = path
            .parse()
            .map_or_else(|_| path.into(), |file: EnvFile| file.file);
        let refusal = || Failure::refused(format!("cannot explain {}", file.display()));
        let bytes = std::fs::read(&file).map_err(|error| refusal().cause(error))?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|error| refusal().cause(not_utf8(&bytes, &error)))?;
        let host = |name: &str| {
            let known = context.environment.contains_key(name);
            known.then(|| format!("{OPEN}{name}{CLOSE}"))
        };
        let explained = explain::explain(text, &host);
        let agreed = explained.iter().filter(|one| one.agrees()).count();
        tracing::info!(
            "{}: all readers agree on {agreed} of {} lines",
            file.display(),
            explained.len()
        );
        if settings.variables.len() > 1 {
            tables.push_str(&format!("{}\n", file.display()));
        }
        tables.push_str(&as_table(&explained, &secrets));
        documents.extend(as_json(&file.display().to_string(), &explained, &secrets));
    }
    Ok(Output::Data(match settings.format {
        Format::Json => format!("{:#}\n", Value::Array(documents)),
        _ => tables,
    }))
}

/// A row a line, a column a reader, the common spelling last.
pub fn as_table(explained: &[Explained], known: &[Known]) -> String {
    let mut heading = vec!["line".to_owned()];
    heading.extend(Reader::ALL.iter().map(|reader| reader.name().to_owned()));
    heading.push("the same everywhere".to_owned());
    let rows = explained.iter().enumerate().map(|(index, one)| {
        let mut row = vec![lines(one)];
        let cells = Reader::ALL.into_iter();
        row.extend(cells.map(|reader| cell(one, reader, known)));
        let again = set_again(one, &explained[index + 1..]);
        let again = again.map_or_else(String::new, |line| format!(" (set again on line {line})"));
        row.push(format!("{}{again}", spelling(one, known)));
        row
    });
    table::text(&std::iter::once(heading).chain(rows).collect::<Vec<_>>())
}

/// The same as data: values and spellings as they are, but for those that are masked.
fn as_json(file: &str, explained: &[Explained], known: &[Known]) -> Vec<Value> {
    let rows = explained.iter().enumerate().map(|(index, one)| {
        let secret = is_secret(one, known);
        let readings = Reader::ALL.into_iter().map(|reader| {
            let statements = one.of(reader).iter();
            let statements: Vec<Value> = statements
                .map(|each| statement(each, one, secret))
                .collect();
            (reader.name().to_owned(), Value::from(statements))
        });
        json!({
            "file": file,
            "line": one.line,
            "agree": one.agrees(),
            "readings": readings.collect::<Map<_, _>>(),
            "same_everywhere": spelling_as_json(one, secret),
            "set_again": set_again(one, &explained[index + 1..]),
        })
    });
    rows.collect()
}

fn statement(statement: &Statement, one: &Explained, secret: bool) -> Value {
    let Statement { name, reading, .. } = statement;
    let is_meant = one.meant().is_some_and(|(meant, _)| meant == name);
    let name = if secret && !is_meant {
        shown_name(name, secret)
    } else {
        name.clone()
    };
    match reading {
        Reading::Value(value) if is_masked(&statement.name, value, secret) => {
            json!({"name": name, "masked": table::masked(value)})
        }
        Reading::Value(value) => json!({"name": name, "value": opened(value)}),
        Reading::Inherited(_) => json!({"name": name, "inherited": true}),
        Reading::NoValue => json!({"name": name, "value": null}),
        Reading::Dropped(why) => json!({"dropped": why}),
        Reading::Refused(why) => json!({"error": why}),
        Reading::Runs(what) => json!({"runs": what}),
    }
}

/// The next line that sets the variable of this one: for every reader the later line counts.
fn set_again(one: &Explained, later: &[Explained]) -> Option<usize> {
    let (name, _) = one.meant()?;
    let is_it = |one: &&Explained| one.meant().is_some_and(|(other, _)| other == name);
    later.iter().find(is_it).map(|one| one.line)
}

fn lines(one: &Explained) -> String {
    if one.line == one.last {
        one.line.to_string()
    } else {
        format!("{}-{}", one.line, one.last)
    }
}

/// What one reader makes of a line.
pub fn cell(one: &Explained, reader: Reader, known: &[Known]) -> String {
    let statements = one.of(reader);
    if statements.is_empty() {
        return "nothing".to_owned();
    }
    let secret = is_secret(one, known);
    let told = statements
        .iter()
        .map(|statement| told(statement, one, secret));
    told.collect::<Vec<_>>().join("; ")
}

fn told(statement: &Statement, one: &Explained, secret: bool) -> String {
    let name = shown_name(&statement.name, secret);
    let value = |value: &str| {
        let shown = masked(&statement.name, value, secret);
        // The variable is named where it is not the one that the line is about.
        match one.meant() {
            Some((name, _)) if name == statement.name => shown,
            _ if statement.name.is_empty() => format!("a variable without a name: {shown}"),
            _ => format!("{name} = {shown}"),
        }
    };
    match &statement.reading {
        Reading::Value(given) => value(given),
        Reading::Inherited(_) => {
            format!("{name} from its own environment")
        }
        Reading::NoValue => "no value".to_owned(),
        Reading::Dropped(why) => format!("dropped: {why}"),
        Reading::Refused(why) => format!("error: {why}"),
        Reading::Runs(what) => format!("runs {what}"),
    }
}

fn spelling(one: &Explained, known: &[Known]) -> String {
    let secret = is_secret(one, known);
    if has_host_value(one) {
        return "none: write the value out".to_owned();
    }
    let hidden = |text: &str| hidden(text, secret).unwrap_or_else(|| table::whole(text));
    match one.spelling() {
        Spelling::Everywhere(text) => hidden(&text),
        Spelling::None => "none".to_owned(),
        Spelling::Split { raw, quoted } => {
            let part = |who: &str, text: Option<String>| {
                text.map(|text| format!("{who} {}", hidden(&text)))
            };
            let parts = [
                part("docker and CodeBuild", raw),
                part("the others", quoted),
            ];
            let parts: Vec<String> = parts.into_iter().flatten().collect();
            if parts.is_empty() {
                "none".to_owned()
            } else {
                format!("none: {}", parts.join(", "))
            }
        }
    }
}

fn spelling_as_json(one: &Explained, secret: bool) -> Value {
    if has_host_value(one) {
        return Value::Null;
    }
    let hidden = |text: String| hidden(&text, secret).unwrap_or(text);
    match one.spelling() {
        Spelling::Everywhere(text) => Value::from(hidden(text)),
        Spelling::Split { raw, quoted } if raw.is_some() || quoted.is_some() => json!({
            "docker_and_codebuild": raw.map(hidden),
            "others": quoted.map(hidden),
        }),
        Spelling::Split { .. } | Spelling::None => Value::Null,
    }
}

/// Whether the value is made of one in a reader's own environment.
fn has_host_value(one: &Explained) -> bool {
    one.meant().is_some_and(|(_, value)| value.contains(OPEN))
}

/// A spelling whose value is not shown; nothing when it may be.
fn hidden(text: &str, secret: bool) -> Option<String> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    if !secret && shape::masked(name, value).is_none() {
        return None;
    }
    Some(match value.chars().next() {
        Some(quote @ ('"' | '\'')) => format!("{name}={quote}***{quote}"),
        _ => format!("{name}=***"),
    })
}

/// Whether any reader finds a secret in the line.
fn is_secret(one: &Explained, known: &[Known]) -> bool {
    if secrets::is_in(&one.text, known) {
        return true;
    }
    let before = one.text.split_once('=').map_or("", |(name, _)| name);
    let name = before.trim().trim_start_matches("export ").trim();
    if shape::is_secret_name(name) || shape::credential(&one.text).is_some() {
        return true;
    }
    one.readings.iter().any(|(_, statements)| {
        statements.iter().any(|statement| {
            let value = statement.reading.value().unwrap_or_default();
            shape::masked(&statement.name, value).is_some() || secrets::is_in(value, known)
        })
    })
}

/// What a reader takes for a name may be the next line of a secret, or of a key.
fn shown_name(name: &str, secret: bool) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-. ".contains(c);
    if !secret && name.len() <= 24 && name.chars().all(is_plain) {
        format!("{name:?}")
    } else {
        format!("a name of {} characters", name.chars().count())
    }
}

fn masked(name: &str, value: &str, secret: bool) -> String {
    if is_masked(name, value, secret) {
        return table::masked(value);
    }
    opened(&table::plain(value))
}

fn is_masked(name: &str, value: &str, secret: bool) -> bool {
    let name = if is_identifier(name) { name } else { "" };
    !value.is_empty() && (secret || shape::masked(name, value).is_some())
}

fn opened(text: &str) -> String {
    text.replace(OPEN, "<").replace(CLOSE, ">")
}
