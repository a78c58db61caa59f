//! `--format json`: the report as it is, for programs. docs/formats.md describes it.
//!
//! Invariant: fields are only ever added as long as `version` is 1.

use crate::finding::Report;
use crate::reporters::{Reporter, Style};
use crate::sources::Sources;

pub(super) struct Json;

impl Reporter for Json {
    fn id(&self) -> &'static str {
        "json"
    }

    fn render(&self, report: &Report, _: &Sources, _: &Style) -> String {
        let mut text = serde_json::to_string_pretty(report).expect("a report has only string keys");
        text.push('\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reporters::tests::report;

    #[test]
    fn the_form_is_the_documented_one_and_reads_back() {
        let report = report();
        let text = Json.render(&report, &Sources::default(), &Style::FILE);
        assert_eq!(serde_json::from_str::<Report>(&text).ok(), Some(report));

        let value: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
        let finding = &value["findings"][0];
        assert_eq!(value["version"], 1);
        assert_eq!(value["program"], serde_json::json!({"exit": 0, "signal": null}));
        assert_eq!(value["stats"], serde_json::json!({"events": 12345, "threads": 4, "processes": 1}));
        assert_eq!(finding["certainty"], "predicted");
        assert_eq!(finding["threads"][0], serde_json::json!({"id": 2, "name": "a", "process": 0}));
        assert_eq!(finding["objects"][0]["born"]["line"], 2);
        assert_eq!(finding["schedule"], serde_json::Value::Null);
        let location = &finding["locations"][1];
        assert_eq!((&location["role"], &location["file"]), (&"wanted".into(), &"src/main.rs".into()));
        assert_eq!(
            (&location["line"], &location["column"], &location["thread"]),
            (&7.into(), &23.into(), &0.into())
        );
    }
}
