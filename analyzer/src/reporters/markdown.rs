//! `--format markdown`: a summary for a pull request's comment or `$GITHUB_STEP_SUMMARY`.

use std::fmt::Write as _;

use crate::finding::{Finding, Report};
use crate::reporters::{Reporter, Style, certainty_word};
use crate::sources::Sources;

pub(super) struct Markdown;

/// So many findings are told in full; of the rest the table alone.
const MOST_TOLD: usize = 50;

impl Reporter for Markdown {
    fn id(&self) -> &'static str {
        "markdown"
    }

    fn render(&self, report: &Report, sources: &Sources, _: &Style) -> String {
        let mut text = String::from("## snag\n\n");
        if report.findings.is_empty() {
            text.push_str("No findings.\n");
        } else {
            text.push_str("| certainty | rule | where | what |\n|---|---|---|---|\n");
        }
        for finding in &report.findings {
            let place = finding
                .locations
                .first()
                .map_or_else(String::new, |at| format!("{}:{}", at.place.file, at.place.line));
            let what = finding.message.replace('|', "\\|").replace('\n', " ");
            let _ = writeln!(
                text,
                "| {} | `{}` | `{place}` | {what} |",
                certainty_word(finding.certainty),
                finding.rule
            );
        }
        for finding in report.findings.iter().take(MOST_TOLD) {
            tell(&mut text, finding, sources);
        }
        for warning in &report.warnings {
            let _ = write!(text, "\n> {}\n", warning.replace('\n', " "));
        }
        text
    }
}

fn tell(text: &mut String, finding: &Finding, sources: &Sources) {
    let _ = write!(
        text,
        "\n<details><summary><code>{}</code>: {}</summary>\n\n",
        finding.rule,
        html(&finding.message)
    );
    for at in &finding.locations {
        let place = &at.place;
        let _ = writeln!(text, "* `{}:{}`: {}", place.file, place.line, at.label.replace('\n', "; "));
        let source = sources.get(&place.file);
        if let Some(line) = source.as_ref().and_then(|source| source.line(place.line)) {
            let _ = write!(text, "\n  ```rust\n  {}\n  ```\n", line.trim());
        }
    }
    for note in &finding.notes {
        let _ = write!(text, "\nNote: {note}.\n");
    }
    let _ = write!(text, "\nHelp: {}.\n\n</details>\n", finding.help);
}

fn html(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let mut parts = escaped.split('`');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for (number, part) in parts.enumerate() {
        out.push_str(if number % 2 == 0 { "<code>" } else { "</code>" });
        out.push_str(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reporters::tests::report;

    #[test]
    fn a_finding_is_a_row_and_a_section() {
        let text = Markdown.render(&report(), &Sources::default(), &Style::FILE);
        assert!(text.contains("| predicted | `lock_order_inversion` | `src/main.rs:6` |"), "{text}");
        assert!(text.contains("<summary><code>lock_order_inversion</code>: <code>a</code> and"), "{text}");
        let mut clean = report();
        clean.findings.clear();
        assert!(Markdown.render(&clean, &Sources::default(), &Style::FILE).contains("No findings."));
    }
}
