//! What the editor is told: a finding as a diagnostic, a rule on hover, the variables that a reference may name.

use std::collections::BTreeMap;
use std::str::FromStr as _;

use contract::check::Report;
use contract::finding::Finding;
use contract::repair::Changed;
use contract::rule::Severity;
use lsp_types::{
    CodeAction, CodeActionKind, CodeDescription, CompletionItem, CompletionItemKind, Diagnostic,
    DiagnosticSeverity, Hover, HoverContents, MarkupContent, MarkupKind, NumberOrString, Position,
    Range, TextEdit, Uri, WorkspaceEdit,
};
use serde_json::json;

use super::places;

/// The name that diagnostics carry.
const SOURCE: &str = "pipeline-actions";

pub(super) fn diagnostic(report: &Report, finding: &Finding) -> Diagnostic {
    let text = report.texts.get(&finding.file).map(String::as_str);
    let severity = match finding.severity {
        Severity::Error => DiagnosticSeverity::ERROR,
        Severity::Warning => DiagnosticSeverity::WARNING,
        Severity::Note => DiagnosticSeverity::INFORMATION,
    };
    // Not every source is a link and nothing more.
    let link = Uri::from_str(finding.rule.source).ok();
    let link = link.filter(|_| finding.rule.source.starts_with("https://"));
    Diagnostic {
        range: places::range(text.unwrap_or_default(), finding.place),
        severity: Some(severity),
        code: Some(NumberOrString::String(finding.rule.code.to_owned())),
        code_description: link.map(|href| CodeDescription { href }),
        source: Some(SOURCE.to_owned()),
        message: format!("{}\n{}", finding.message, finding.fix()),
        ..Diagnostic::default()
    }
}

/// The change that mends a finding, for the file at `uri`.
pub(super) fn quick_fix(
    report: &Report,
    finding: &Finding,
    changed: &Changed,
    uri: Uri,
) -> Option<CodeAction> {
    let (range, new) = places::difference(&changed.before, &changed.after);
    let edit = json!({ uri.as_str(): [TextEdit::new(range, new.to_owned())] });
    let deed = finding.repair.as_ref()?.deed();
    Some(CodeAction {
        title: format!("{}: {deed}", finding.rule.code),
        kind: Some(CodeActionKind::QUICKFIX),
        diagnostics: Some(vec![diagnostic(report, finding)]),
        edit: Some(WorkspaceEdit {
            changes: serde_json::from_value(edit).ok(),
            ..WorkspaceEdit::default()
        }),
        is_preferred: Some(true),
        ..CodeAction::default()
    })
}

/// The findings of a file that touch a range.
pub(super) fn touching<'a>(
    report: &'a Report,
    file: &'a str,
    at: Range,
) -> impl Iterator<Item = &'a Finding> {
    let text = report.texts.get(file).map_or("", String::as_str);
    report.findings.iter().filter(move |finding| {
        let range = places::range(text, finding.place);
        finding.file == file && range.start <= at.end && at.start <= range.end
    })
}

/// Everything about the rules that are broken at a position.
pub(super) fn hover(report: &Report, file: &str, at: Position) -> Option<Hover> {
    let found = touching(report, file, Range::new(at, at));
    let mut codes = Vec::new();
    let mut shown = Vec::new();
    for finding in found {
        if !codes.contains(&finding.rule.code) {
            codes.push(finding.rule.code);
            shown.push(finding.rule.explained());
        }
    }
    let value = shown.join("\n\n---\n\n");
    (!value.is_empty()).then_some(Hover {
        contents: HoverContents::Markup(MarkupContent {
            kind: MarkupKind::Markdown,
            value,
        }),
        range: None,
    })
}

/// The namespaces behind `#{`, and the variables behind `#{namespace.`.
pub(super) fn completion(
    variables: &BTreeMap<String, Vec<String>>,
    text: &str,
    at: Position,
) -> Vec<CompletionItem> {
    let before = places::before(text, at);
    let Some(open) = before.rfind("#{") else {
        return Vec::new();
    };
    let typed = &before[open + 2..];
    if typed.contains('}') {
        return Vec::new();
    }
    let item = |label: &String, kind: CompletionItemKind| CompletionItem {
        label: label.clone(),
        kind: Some(kind),
        ..CompletionItem::default()
    };
    match typed.split_once('.') {
        None => variables
            .keys()
            .map(|name| item(name, CompletionItemKind::MODULE))
            .collect(),
        Some((namespace, _)) => variables
            .get(namespace)
            .into_iter()
            .flatten()
            .map(|name| item(name, CompletionItemKind::VARIABLE))
            .collect(),
    }
}
