//! What is not to be reported, with the reason: entries of `suppress`, and comments in the source.
//!
//! Invariant: nothing is left out without a reason, and whatever is left out is counted in the report.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::config::dates::Day;
use crate::finding::{Finding, Location, Place};
use crate::source_model::extract;
use crate::source_model::facts::Allow;
use crate::sources::Sources;

/// `{ rule = "data_race", path = "~registry/ring-", reason = "…", expires = "2026-12-31" }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suppression {
    /// The rule; all rules if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// How the paths of its files begin, as reports name them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The dependency in whose code it is.
    #[serde(default, rename = "crate", skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// Why.
    pub reason: String,
    /// The last day on which it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

impl Suppression {
    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.reason.trim().is_empty() {
            return Err("its `reason` is empty".to_owned());
        }
        if self.rule.is_none() && self.path.is_none() && self.package.is_none() {
            return Err("it needs a `rule`, a `path` or a `crate`".to_owned());
        }
        match &self.expires {
            Some(day) if Day::parse(day).is_none() => Err(format!("`{day}` is no day such as `2026-12-31`")),
            _ => Ok(()),
        }
    }

    /// Whether its last day is over.
    #[must_use]
    pub fn is_over(&self, today: Day) -> bool {
        self.expires.as_deref().and_then(Day::parse).is_some_and(|last| last < today)
    }

    /// Whether it is about this finding: of this rule, with every one of its places in there.
    #[must_use]
    pub fn covers(&self, finding: &Finding) -> bool {
        let is_inside = |location: &Location| {
            // What is done there is the innermost code's that is not the standard library's.
            let stack = location.stack.iter().filter_map(|frame| frame.place.as_ref());
            let place = stack.into_iter().find(|place| !place.is_library()).unwrap_or(&location.place);
            let package =
                || place.package().map(|package| package.split(' ').next().unwrap_or("").to_owned());
            self.path.as_ref().is_none_or(|path| place.file.starts_with(path))
                && self
                    .package
                    .as_ref()
                    .is_none_or(|wanted| package().is_some_and(|package| package == *wanted))
        };
        let anywhere = self.path.is_none() && self.package.is_none();
        self.rule.as_ref().is_none_or(|rule| *rule == finding.rule)
            && (anywhere || !finding.locations.is_empty() && finding.locations.iter().all(is_inside))
    }

    fn describe(&self) -> String {
        let parts = [("rule", &self.rule), ("path", &self.path), ("crate", &self.package)];
        let given = parts.iter().filter_map(|(key, value)| Some(format!("{key} = {:?}", value.as_ref()?)));
        given.collect::<Vec<_>>().join(", ")
    }
}

impl Config {
    /// Leaves out what entries of `suppress` cover; says how much, what is over, and, where `complete`, what covers nothing.
    pub fn suppress(&self, findings: &mut Vec<Finding>, complete: bool) -> Vec<String> {
        let today = Day::today();
        let mut used = vec![0_usize; self.suppress.len()];
        findings.retain(|finding| {
            let by = self.suppress.iter().position(|entry| !entry.is_over(today) && entry.covers(finding));
            by.inspect(|&at| used[at] += 1).is_none()
        });
        let mut warnings = Vec::new();
        for (entry, used) in self.suppress.iter().zip(&used) {
            let what = entry.describe();
            match used {
                _ if entry.is_over(today) => {
                    let day = entry.expires.as_deref().unwrap_or_default();
                    warnings.push(format!("the suppression `{what}` ended on {day}: {}", entry.reason));
                }
                0 if complete => warnings.push(format!("the suppression `{what}` suppresses nothing")),
                _ => {}
            }
        }
        warnings.extend(left_out(used.iter().sum(), "as `suppress` in the configuration asks"));
        warnings
    }
}

/// Leaves out what comments in the sources of findings allow. Gives what to say of it, and the comments that were used.
pub fn allowed_by_comments(
    findings: &mut Vec<Finding>,
    sources: &Sources,
) -> (Vec<String>, Vec<(String, u32)>) {
    let mut known: BTreeMap<String, Vec<Allow>> = BTreeMap::new();
    let (mut used, mut warnings, before) = (Vec::new(), Vec::new(), findings.len());
    findings.retain(|finding| {
        let places = finding.locations.iter().map(|location| &location.place).filter(|place| place.is_own());
        let by = places.into_iter().find_map(|place| {
            let allows = known.entry(place.file.clone()).or_insert_with(|| comments(place, sources));
            let allow = allows
                .iter()
                .find(|allow| allow.covers_line(place.line) && allow.rules.contains(&finding.rule))?;
            Some((place.file.clone(), allow.line, allow.reason.is_empty()))
        });
        match by {
            Some((file, line, false)) => {
                used.push((file, line));
                false
            }
            Some((file, line, true)) => {
                warnings
                    .push(format!("{file}:{line}: `snag: allow` allows nothing without a reason behind it"));
                true
            }
            None => true,
        }
    });
    warnings.sort();
    warnings.dedup();
    warnings.extend(left_out(before - findings.len(), "as comments in the source ask"));
    (warnings, used)
}

fn comments(place: &Place, sources: &Sources) -> Vec<Allow> {
    sources.get(&place.file).map(|source| extract::allows(&source.text)).unwrap_or_default()
}

impl Allow {
    /// Whether it is about what is on this line.
    #[must_use]
    pub fn covers_line(&self, line: u32) -> bool {
        (self.covers.0..=self.covers.1).contains(&line)
    }
}

/// How many findings are left out, if any are.
pub(super) fn left_out(count: usize, why: &str) -> Option<String> {
    match count {
        0 => None,
        1 => Some(format!("1 finding is left out, {why}")),
        count => Some(format!("{count} findings are left out, {why}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Certainty, Frame};

    fn finding(rule: &str) -> Finding {
        Finding {
            rule: rule.to_owned(),
            certainty: Certainty::Confirmed,
            message: String::new(),
            help: String::new(),
            count: 1,
            threads: Vec::new(),
            processes: Vec::new(),
            objects: Vec::new(),
            locations: Vec::new(),
            witness: Vec::new(),
            notes: Vec::new(),
            schedule: None,
        }
    }

    fn at(file: &str, inner: &[&str]) -> Location {
        let place = |file: &str| Place { file: file.to_owned(), line: 1, column: 1 };
        Location {
            role: "access".to_owned(),
            place: place(file),
            thread: 0,
            label: String::new(),
            held: Vec::new(),
            access: None,
            package: None,
            stack: (inner.iter().copied().chain([file]))
                .map(|file| Frame { function: String::new(), place: Some(place(file)), inlined: false })
                .collect(),
        }
    }

    fn entry(rule: Option<&str>, path: Option<&str>, package: Option<&str>) -> Suppression {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let (rule, path, package) = (owned(rule), owned(path), owned(package));
        Suppression { rule, path, package, reason: "known".to_owned(), expires: None }
    }

    #[test]
    fn what_is_suppressed_lies_wholly_in_the_code_that_is_named() {
        let mut found = finding("data_race");
        assert!(!entry(None, Some(""), None).covers(&found), "it has no place");
        let inner = ["~rust/library/core/src/ptr.rs", "~registry/ring-0.17.8/src/lib.rs"];
        found.locations = vec![at("src/main.rs", &inner)];
        assert!(entry(Some("data_race"), Some("~registry/ring-"), None).covers(&found));
        assert!(entry(None, None, Some("ring")).covers(&found));
        assert!(entry(Some("data_race"), None, None).covers(&found));
        assert!(!entry(Some("deadlock"), None, Some("ring")).covers(&found));
        assert!(!entry(None, Some("src/"), None).covers(&found));
        found.locations.push(at("src/main.rs", &[]));
        assert!(!entry(None, Some("~registry/ring-"), None).covers(&found), "one side is elsewhere");
    }

    #[test]
    fn a_suppression_whose_day_is_over_counts_no_more_and_is_told() {
        let mut over = entry(Some("deadlock"), None, None);
        over.expires = Some("2020-02-29".to_owned());
        let mut coming = entry(Some("data_race"), None, None);
        coming.expires = Some("9999-12-31".to_owned());
        let config = Config { suppress: vec![over, coming], ..Config::default() };
        let mut findings = vec![finding("deadlock"), finding("data_race"), finding("lost_update")];
        let warnings = config.suppress(&mut findings, true);
        let rules: Vec<_> = findings.iter().map(|finding| finding.rule.as_str()).collect();
        assert_eq!(rules, ["deadlock", "lost_update"]);
        assert!(
            warnings[0].contains("ended on 2020-02-29") && warnings[1].starts_with("1 finding is left out")
        );
    }

    #[test]
    fn a_comment_with_a_reason_allows_a_rule_for_the_statement_below_it() {
        let sources = Sources::new("/nowhere");
        let text = "fn f() {\n    // snag: allow(deadlock) it is a test\n    g(\n        h,\n    );\n    i(); // snag: allow(deadlock)\n    k();\n}\n";
        sources.insert("src/main.rs", text);
        let on = |line| {
            let mut found = finding("deadlock");
            found.locations = vec![at("src/main.rs", &[])];
            found.locations[0].place.line = line;
            found
        };
        let mut findings = vec![on(4), on(6), on(7)];
        let (warnings, used) = allowed_by_comments(&mut findings, &sources);
        let lines: Vec<_> = findings.iter().map(|finding| finding.locations[0].place.line).collect();
        assert_eq!((lines, used), (vec![6, 7], vec![("src/main.rs".to_owned(), 2)]));
        assert!(warnings[0].contains("src/main.rs:6") && warnings[0].contains("reason"), "{warnings:?}");
    }
}
