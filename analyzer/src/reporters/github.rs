//! `--format github`: workflow commands that GitHub shows as annotations of the lines.
//!
//! Source: GitHub, "Workflow commands for GitHub Actions"; `%`, line ends, `:` and `,` are escaped as it says.

use std::fmt::Write as _;

use crate::finding::{Certainty, Report};
use crate::reporters::{Reporter, Style, certainty_word};
use crate::sources::Sources;

pub(super) struct Github;

impl Reporter for Github {
    fn id(&self) -> &'static str {
        "github"
    }

    fn render(&self, report: &Report, _: &Sources, _: &Style) -> String {
        let mut text = String::new();
        for finding in &report.findings {
            let command = if finding.certainty == Certainty::Potential { "warning" } else { "error" };
            let place = finding.locations.first().map(|first| {
                let place = &first.place;
                format!("file={},line={},col={},", property(&place.file), place.line, place.column)
            });
            let title = format!("{} ({})", finding.rule, certainty_word(finding.certainty));
            let mut message = finding.message.clone();
            for other in finding.locations.iter().skip(1) {
                let place = &other.place;
                let _ =
                    write!(message, "\n{}:{}: {}", place.file, place.line, other.label.replace('\n', "; "));
            }
            let _ = write!(message, "\nhelp: {}", finding.help);
            let place = place.unwrap_or_default();
            let _ = writeln!(text, "::{command} {place}title={}::{}", property(&title), data(&message));
        }
        for warning in &report.warnings {
            let _ = writeln!(text, "::notice title=snag::{}", data(warning));
        }
        text
    }
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reporters::tests::report;

    #[test]
    fn a_finding_is_one_command_whatever_is_in_it() {
        let mut report = report();
        report.findings[0].message = "50% of:\nthis, that".to_owned();
        let text = Github.render(&report, &Sources::default(), &Style::FILE);
        let start = "::error file=src/main.rs,line=6,col=21,title=lock_order_inversion (predicted)::50%25 of:%0Athis, that%0A";
        assert!(text.starts_with(start) && text.lines().count() == 1, "{text}");
    }
}
