//! `--format junit`: a JUnit XML file, for CI services that show test results. Each finding is a failed test
//! case; those of `potential` certainty are skipped ones, so that they show and do not fail.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::finding::{Certainty, Finding, Report};
use crate::reporters::{Reporter, Style, certainty_word};
use crate::sources::Sources;

pub(super) struct Junit;

impl Reporter for Junit {
    fn id(&self) -> &'static str {
        "junit"
    }

    fn render(&self, report: &Report, _: &Sources, _: &Style) -> String {
        let mut suites: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
        for finding in &report.findings {
            suites.entry(&finding.rule).or_default().push(finding);
        }
        let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let (tests, failures) = counts(&report.findings.iter().collect::<Vec<_>>());
        let tests = tests.max(1);
        let _ = writeln!(text, "<testsuites name=\"snag\" tests=\"{tests}\" failures=\"{failures}\">");
        for (rule, findings) in &suites {
            let (tests, failures) = counts(findings);
            let skipped = tests - failures;
            let _ = writeln!(
                text,
                "  <testsuite name=\"{rule}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\">"
            );
            findings.iter().for_each(|finding| case(&mut text, finding));
            text.push_str("  </testsuite>\n");
        }
        if suites.is_empty() {
            text.push_str(
                "  <testsuite name=\"snag\" tests=\"1\" failures=\"0\" errors=\"0\" skipped=\"0\">\n",
            );
            text.push_str("    <testcase classname=\"snag\" name=\"no findings\"/>\n  </testsuite>\n");
        }
        text.push_str("</testsuites>\n");
        text
    }
}

/// How many cases, and how many of them fail.
fn counts(findings: &[&Finding]) -> (usize, usize) {
    let failures = findings.iter().filter(|finding| finding.certainty > Certainty::Potential).count();
    (findings.len(), failures)
}

fn case(text: &mut String, finding: &Finding) {
    let first = finding.locations.first();
    let place =
        first.map_or_else(|| "unknown".to_owned(), |at| format!("{}:{}", at.place.file, at.place.line));
    let file = first.map_or("", |at| at.place.file.as_str());
    let message = escaped(&finding.message);
    let _ = writeln!(
        text,
        "    <testcase classname=\"{}\" name=\"{}\" file=\"{}\">",
        finding.rule,
        escaped(&place),
        escaped(file)
    );
    if finding.certainty == Certainty::Potential {
        let _ = writeln!(text, "      <skipped message=\"{message}\"/>");
    } else {
        let mut body = String::new();
        for at in &finding.locations {
            let _ = writeln!(body, "{}:{}:{}: {}", at.place.file, at.place.line, at.place.column, at.label);
        }
        let _ = write!(body, "help: {}", finding.help);
        let kind = certainty_word(finding.certainty);
        let _ = writeln!(
            text,
            "      <failure type=\"{kind}\" message=\"{message}\">{}</failure>",
            escaped(&body)
        );
    }
    text.push_str("    </testcase>\n");
}

/// A text as XML has it; characters that XML cannot have become spaces.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(letter),
            letter if letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reporters::tests::report;

    #[test]
    fn certain_findings_fail_and_potential_ones_are_skipped() {
        let mut report = report();
        let mut other = report.findings[0].clone();
        other.certainty = Certainty::Potential;
        other.message = "a < b & \"c\"\u{7}".to_owned();
        report.findings.push(other);
        let text = Junit.render(&report, &Sources::default(), &Style::FILE);
        assert!(text.contains("tests=\"2\" failures=\"1\" errors=\"0\" skipped=\"1\""), "{text}");
        assert!(text.contains("<skipped message=\"a &lt; b &amp; &quot;c&quot; \"/>"), "{text}");
    }
}
