//! `--format sarif`: SARIF 2.1.0, for code scanning services.
//!
//! One run, one result per finding. The first place is the result's location, the others are related; each thread's
//! steps are a thread flow. Rule help is the rule's page.
//!
//! Source: OASIS, Static Analysis Results Interchange Format 2.1.0.

use serde_json::{Value, json};

use crate::config::baseline::fingerprint;
use crate::explain;
use crate::finding::{Certainty, Finding, Fix, Location, Place, Report};
use crate::reporters::{Reporter, Style, certainty_word};
use crate::sources::Sources;

pub(super) struct Sarif;

impl Reporter for Sarif {
    fn id(&self) -> &'static str {
        "sarif"
    }

    fn render(&self, report: &Report, sources: &Sources, _: &Style) -> String {
        let mut used: Vec<&str> = report.findings.iter().map(|finding| finding.rule.as_str()).collect();
        used.sort_unstable();
        used.dedup();
        let results: Vec<Value> =
            report.findings.iter().map(|finding| result(finding, report, sources, &used)).collect();
        let notifications: Vec<Value> = report
            .warnings
            .iter()
            .map(|warning| json!({"level": "warning", "message": {"text": warning}}))
            .collect();
        let log = json!({
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{
                "tool": {"driver": {
                    "name": "snag",
                    "informationUri": env!("CARGO_PKG_REPOSITORY"),
                    "semanticVersion": env!("CARGO_PKG_VERSION"),
                    "rules": used.iter().map(|rule| rule_of(rule)).collect::<Vec<_>>(),
                }},
                "automationDetails": {"id": if report.stats.source.is_some() { "snag/lint/" } else { "snag/run/" }},
                "invocations": [{"executionSuccessful": true, "toolExecutionNotifications": notifications}],
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {"SRCROOT": {"description": {"text": "the workspace's root"}}},
                "results": results,
            }],
        });
        let mut text = serde_json::to_string_pretty(&log).expect("it has only string keys");
        text.push('\n');
        text
    }
}

fn rule_of(rule: &str) -> Value {
    let page = explain::page(rule).unwrap_or_default();
    let summary = explain::rules().find(|(id, _)| *id == rule).map_or("", |(_, sentence)| sentence);
    json!({
        "id": rule,
        "shortDescription": {"text": summary},
        "fullDescription": {"text": summary},
        "help": {"text": page, "markdown": page},
        "properties": {"tags": ["concurrency"]},
    })
}

fn level(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::Confirmed | Certainty::Predicted => "error",
        Certainty::Potential => "warning",
    }
}

fn result(finding: &Finding, report: &Report, sources: &Sources, rules: &[&str]) -> Value {
    let certainty = certainty_word(finding.certainty);
    let notes: String = finding.notes.iter().map(|note| format!("\nNote: {note}.")).collect();
    let text = format!("{} ({certainty})\nHelp: {}.{notes}", finding.message, finding.help);
    let mut value = json!({
        "ruleId": finding.rule,
        "ruleIndex": rules.iter().position(|rule| *rule == finding.rule),
        "level": level(finding.certainty),
        "message": {"text": text},
        "locations": finding.locations.first().map(|first| location(first, 0)).into_iter().collect::<Vec<_>>(),
        "relatedLocations": finding.locations.iter().enumerate().skip(1).map(|(id, other)| location(other, id)).collect::<Vec<_>>(),
        "partialFingerprints": {"snag/v1": fingerprint(finding, sources)},
        "properties": {"certainty": certainty, "count": finding.count},
    });
    let flows = thread_flows(finding);
    if !flows.is_empty() {
        value["codeFlows"] = json!([{"threadFlows": flows}]);
    }
    let fixes: Vec<Value> =
        report.fixes.iter().filter(|fix| fix.is_of(finding)).filter_map(|fix| fix_of(fix, sources)).collect();
    if !fixes.is_empty() {
        value["fixes"] = Value::Array(fixes);
    }
    value
}

fn region(place: &Place) -> Value {
    json!({"startLine": place.line.max(1), "startColumn": place.column.max(1)})
}

/// A path as a URI: relative to the root where it is below it.
fn artifact(file: &str) -> Value {
    let encoded: String = file
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect();
    if file.starts_with('/') {
        json!({"uri": format!("file://{encoded}")})
    } else {
        json!({"uri": encoded, "uriBaseId": "SRCROOT"})
    }
}

fn physical(place: &Place) -> Value {
    json!({"artifactLocation": artifact(&place.file), "region": region(place)})
}

fn location(at: &Location, id: usize) -> Value {
    json!({"id": id, "physicalLocation": physical(&at.place), "message": {"text": at.label}})
}

/// What each thread does: the witness, or else the places in their order.
fn thread_flows(finding: &Finding) -> Vec<Value> {
    let names: Vec<String> = if finding.threads.is_empty() {
        vec!["source".to_owned()]
    } else {
        finding.threads.iter().map(|thread| thread.name.clone()).collect()
    };
    let mut flows = Vec::new();
    for (thread, name) in names.iter().enumerate() {
        let of_witness = finding.witness.iter().enumerate().filter(|(_, step)| step.thread == thread);
        let mut steps: Vec<Value> = of_witness
            .filter_map(|(order, step)| {
                let place = step.place.as_ref()?;
                let text = format!("`{name}` {}", step.action.trim());
                Some(json!({
                    "location": {"physicalLocation": physical(place), "message": {"text": text}},
                    "executionOrder": order + 1,
                }))
            })
            .collect();
        if steps.is_empty() {
            let places = finding.locations.iter().filter(|at| at.thread == thread);
            steps = places
                .map(|at| json!({"location": {"physicalLocation": physical(&at.place), "message": {"text": at.label}}}))
                .collect();
        }
        if !steps.is_empty() {
            flows.push(json!({"id": name, "locations": steps}));
        }
    }
    flows
}

fn fix_of(fix: &Fix, sources: &Sources) -> Option<Value> {
    let source = sources.get(&fix.place.file)?;
    let at = |offset: usize| {
        let line = source.line_at(offset);
        let column = source.text.get(source.line_start(line)?..offset)?.chars().count() + 1;
        Some((line, column))
    };
    let mut replacements = Vec::new();
    for edit in &fix.edits {
        let ((line, column), (end_line, end_column)) = (at(edit.start)?, at(edit.end)?);
        replacements.push(json!({
            "deletedRegion": {"startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column},
            "insertedContent": {"text": edit.replacement},
        }));
    }
    Some(json!({
        "description": {"text": fix.description},
        "artifactChanges": [{"artifactLocation": artifact(&fix.place.file), "replacements": replacements}],
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reporters::tests::report;

    #[test]
    fn a_finding_of_two_threads_has_two_thread_flows_and_a_fingerprint() {
        let text = Sarif.render(&report(), &Sources::default(), &Style::FILE);
        let log: Value = serde_json::from_str(&text).expect("it is JSON");
        let result = &log["runs"][0]["results"][0];
        assert_eq!(result["ruleId"], "lock_order_inversion");
        assert_eq!(result["codeFlows"][0]["threadFlows"].as_array().map(Vec::len), Some(2));
        assert_eq!(result["partialFingerprints"]["snag/v1"].as_str().map(str::len), Some(16));
        assert_eq!(log["runs"][0]["tool"]["driver"]["rules"][0]["id"], "lock_order_inversion");
    }
}
