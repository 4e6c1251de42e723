//! What the editor is told: a finding as a diagnostic, a rule on hover, the variables that a reference may name.

use std::collections::BTreeMap;
use std::str::FromStr as _;

use contract::check::Report;
use contract::finding::Finding;
use contract::rule::Severity;
use lsp_types::{
    CodeDescription, CompletionItem, CompletionItemKind, Diagnostic, DiagnosticSeverity, Hover,
    HoverContents, MarkupContent, MarkupKind, NumberOrString, Position, Uri,
};

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

/// Everything about the rules that are broken at a position.
pub(super) fn hover(report: &Report, file: &str, at: Position) -> Option<Hover> {
    let text = report.texts.get(file)?;
    let found = report.findings.iter().filter(|finding| {
        let range = places::range(text, finding.place);
        finding.file == file && range.start <= at && at <= range.end
    });
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
