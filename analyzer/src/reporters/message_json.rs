//! `--format message-json`: one line per finding in the form in which cargo passes rustc's diagnostics on
//! (`--message-format=json`), for rust-analyzer and other editors.
//!
//! Source: The Cargo Book, "External tools"; The rustc Book, "JSON Output".

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::finding::{Certainty, Finding, Fix, Place, Report};
use crate::reporters::{Reporter, Style, certainty_word};
use crate::sources::{Source, Sources};

pub(super) struct MessageJson;

impl Reporter for MessageJson {
    fn id(&self) -> &'static str {
        "message-json"
    }

    fn render(&self, report: &Report, sources: &Sources, _: &Style) -> String {
        let mut text = String::new();
        for finding in &report.findings {
            let fix = report.fixes.iter().find(|fix| fix.is_of(finding));
            let file = finding.locations.first().map_or("", |at| at.place.file.as_str());
            let message = json!({
                "reason": "compiler-message",
                "package_id": "snag",
                "manifest_path": sources.root().join("Cargo.toml").display().to_string(),
                "target": {
                    "kind": ["lib"],
                    "crate_types": ["lib"],
                    "name": "snag",
                    "src_path": sources.root().join(file).display().to_string(),
                    "edition": "2021",
                    "doc": false,
                    "doctest": false,
                    "test": false,
                },
                "message": diagnostic(finding, fix, sources),
            });
            let _ = writeln!(text, "{message}");
        }
        let _ = writeln!(text, "{}", json!({"reason": "build-finished", "success": true}));
        text
    }
}

fn diagnostic(finding: &Finding, fix: Option<&Fix>, sources: &Sources) -> Value {
    let level = if finding.certainty == Certainty::Potential { "warning" } else { "error" };
    let spans: Vec<Value> = finding
        .locations
        .iter()
        .enumerate()
        .filter_map(|(number, at)| span(&at.place, number == 0, Some(&at.label), sources))
        .collect();
    let mut children = vec![child("help", &finding.help, Vec::new())];
    children.extend(finding.notes.iter().map(|note| child("note", note, Vec::new())));
    if let Some(fix) = fix {
        let edits = fix.edits.iter().filter_map(|edit| {
            let source = sources.get(&fix.place.file)?;
            let mut span = span_of(&fix.place.file, &source, edit.start, edit.end, true, None)?;
            span["suggested_replacement"] = json!(edit.replacement);
            span["suggestion_applicability"] = json!("MachineApplicable");
            Some(span)
        });
        children.push(child("help", &fix.description, edits.collect()));
    }
    let place = finding.locations.first().map_or_else(String::new, |at| {
        format!("  --> {}:{}:{}\n", at.place.file, at.place.line, at.place.column)
    });
    let certainty = certainty_word(finding.certainty);
    json!({
        "$message_type": "diagnostic",
        "message": format!("{} ({certainty})", finding.message),
        "code": {"code": format!("snag::{}", finding.rule), "explanation": null},
        "level": level,
        "spans": spans,
        "children": children,
        "rendered": format!("{level}[snag::{}]: {}\n{place}  = help: {}\n\n", finding.rule, finding.message, finding.help),
    })
}

fn child(level: &str, message: &str, spans: Vec<Value>) -> Value {
    json!({"message": message, "code": null, "level": level, "spans": spans, "children": [], "rendered": null})
}

fn span(place: &Place, is_primary: bool, label: Option<&str>, sources: &Sources) -> Option<Value> {
    let source = sources.get(&place.file)?;
    let start = source.offset(place.line, place.column)?;
    let rest = &source.text[start..];
    let word = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
    span_of(&place.file, &source, start, start + word.max(rest.chars().next()?.len_utf8()), is_primary, label)
}

fn span_of(
    file: &str,
    source: &Source,
    start: usize,
    end: usize,
    is_primary: bool,
    label: Option<&str>,
) -> Option<Value> {
    let at = |offset: usize| {
        let line = source.line_at(offset);
        let column = source.text.get(source.line_start(line)?..offset)?.chars().count() + 1;
        Some((line, column))
    };
    let ((line, column), (end_line, end_column)) = (at(start)?, at(end)?);
    Some(json!({
        "file_name": file,
        "byte_start": start,
        "byte_end": end,
        "line_start": line,
        "line_end": end_line,
        "column_start": column,
        "column_end": end_column,
        "is_primary": is_primary,
        "text": [{
            "text": source.line(line)?,
            "highlight_start": column,
            "highlight_end": if line == end_line { end_column } else { column + 1 },
        }],
        "label": label,
        "suggested_replacement": null,
        "suggestion_applicability": null,
        "expansion": null,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reporters::tests::{PROGRAM, report};
    use cargo_metadata::{Message, diagnostic::DiagnosticLevel};

    #[test]
    fn every_line_is_a_message_of_cargos_and_points_at_the_place() {
        let sources = Sources::new("/nowhere");
        sources.insert("src/main.rs", PROGRAM);
        let text = MessageJson.render(&report(), &sources, &Style::FILE);
        let messages: Vec<Message> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("it is one of cargo's messages"))
            .collect();
        let [Message::CompilerMessage(found), Message::BuildFinished(_)] = &messages[..] else {
            panic!("{messages:?}")
        };
        assert_eq!(found.message.level, DiagnosticLevel::Error);
        let primary = found.message.spans.iter().find(|span| span.is_primary).expect("one is primary");
        assert_eq!((primary.line_start, primary.column_start, primary.column_end), (6, 21, 25));
        assert_eq!(found.message.spans.len(), 4);
    }
}
