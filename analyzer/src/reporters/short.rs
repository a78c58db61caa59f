//! `--format short`: one line per finding, for editors, `grep` and people in a hurry.
//!
//! `file:line:column: certainty rule: message`, with `<unknown>` for a place that is not known.

use std::fmt::Write;

use crate::finding::{Finding, Report};
use crate::reporters::{Reporter, Style, certainty_word};
use crate::sources::Sources;

pub(super) struct Short;

impl Reporter for Short {
    fn id(&self) -> &'static str {
        "short"
    }

    fn render(&self, report: &Report, _: &Sources, _: &Style) -> String {
        let mut text = String::new();
        for finding in &report.findings {
            let _ = writeln!(text, "{}", line_of(finding));
        }
        for warning in &report.warnings {
            let _ = writeln!(text, "warning: {}", on_one_line(warning));
        }
        text
    }
}

fn line_of(finding: &Finding) -> String {
    let place = finding.locations.first().map_or_else(
        || "<unknown>:0:0".to_owned(),
        |at| format!("{}:{}:{}", at.place.file, at.place.line, at.place.column),
    );
    let certainty = certainty_word(finding.certainty);
    format!("{place}: {certainty} {}: {}", finding.rule, on_one_line(&finding.message))
}

fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reporters::tests::report;

    #[test]
    fn a_finding_is_one_line_whatever_its_message() {
        let mut report = report();
        report.findings[0].message = "two\n  lines".to_owned();
        report.warnings.push("the disk was full".to_owned());
        let mut nowhere = report.findings[0].clone();
        nowhere.locations.clear();
        report.findings.push(nowhere);
        assert_eq!(
            Short.render(&report, &Sources::default(), &Style::FILE),
            "src/main.rs:6:21: predicted lock_order_inversion: two lines\n\
             <unknown>:0:0: predicted lock_order_inversion: two lines\n\
             warning: the disk was full\n"
        );
    }
}
