//! Marks: what must be found in a program, said in its own source where no bless can erase it.
//!
//! `//~ rule` on a line requires a finding of that rule that has a location on this line;
//! `//~^ rule` means the line before, one more for each `^`. `//~ one | other` is for a bug that can
//! show itself in two ways, of which one run takes one: either will do. A finding must be at least
//! `predicted`, unless `certainty>=potential` or `certainty>=confirmed` follows.
//! `//~ lint:rule` is for `cargo snag lint` alone, and may follow another mark.

use std::fmt;

use serde_json::Value;

/// Certainties in the order in which they rise.
const CERTAINTIES: [&str; 3] = ["potential", "predicted", "confirmed"];

/// One mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The file, as reports name it.
    pub file: String,
    /// The line that a location must be on, from 1.
    pub line: usize,
    /// Rules of which one must be found, sorted.
    pub rules: Vec<String>,
    /// The least certainty that will do.
    pub certainty: &'static str,
}

/// What a mark for static rules begins with.
const FOR_LINT: &str = "lint:";

/// Lines, from 1, with what follows each `//~` on them.
fn marks_of(source: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = source.lines().enumerate();
    lines.flat_map(|(index, text)| text.split("//~").skip(1).map(move |mark| (index + 1, mark)))
}

impl fmt::Display for Mark {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mark { file, line, rules, certainty } = self;
        write!(formatter, "{file}:{line}: {}, at least {certainty}", rules.join(" or "))
    }
}

impl Mark {
    /// All marks of a source text.
    ///
    /// # Errors
    /// What is wrong with a mark that does not parse, and where.
    pub fn parse_all(file: &str, source: &str) -> Result<Vec<Mark>, String> {
        let plain = marks_of(source).filter(|(_, text)| !text.contains(FOR_LINT));
        plain.map(|(line, text)| Mark::parse(file, line, text)).collect()
    }

    /// All marks of what `cargo snag lint` must find in a source text: `//~ lint:rule`.
    ///
    /// # Errors
    /// What is wrong with a mark that does not parse, and where.
    pub fn of_lint(file: &str, source: &str) -> Result<Vec<Mark>, String> {
        let of_lint = marks_of(source).filter(|(_, text)| text.contains(FOR_LINT));
        of_lint.map(|(line, text)| Mark::parse(file, line, &text.replacen(FOR_LINT, "", 1))).collect()
    }

    fn parse(file: &str, line: usize, text: &str) -> Result<Mark, String> {
        let wrong = |what: &str| format!("{file}:{line}: {what}: `//~{text}`");
        let rest = text.trim_start_matches('^');
        let line = line.checked_sub(text.len() - rest.len()).ok_or_else(|| wrong("no such line"))?;
        let (rules, certainty) = match rest.split_once("certainty>=") {
            None => (rest, "predicted"),
            Some((rules, wanted)) => {
                let known = CERTAINTIES.into_iter().find(|known| *known == wanted.trim());
                (rules, known.ok_or_else(|| wrong("no such certainty"))?)
            }
        };
        let mut rules: Vec<_> = rules.split('|').map(|rule| rule.trim().to_owned()).collect();
        let is_word =
            |rule: &String| !rule.is_empty() && rule.bytes().all(|b| b == b'_' || b.is_ascii_lowercase());
        if !rules.iter().all(is_word) {
            return Err(wrong("a mark names rules, separated by `|`"));
        }
        rules.sort();
        Ok(Mark { file: file.to_owned(), line, rules, certainty })
    }

    /// Whether a finding, as JSON, is what this mark requires.
    #[must_use]
    pub fn is_met_by(&self, finding: &Value) -> bool {
        let rank = |name: &str| CERTAINTIES.iter().position(|known| *known == name);
        let is_certain = finding["certainty"].as_str().and_then(rank) >= rank(self.certainty);
        let mut places = finding["locations"].as_array().into_iter().flatten();
        self.names(finding)
            && is_certain
            && places.any(|at| at["file"] == self.file.as_str() && at["line"] == self.line)
    }

    /// Whether this mark names the finding's rule.
    #[must_use]
    pub fn names(&self, finding: &Value) -> bool {
        self.rules.iter().any(|rule| finding["rule"] == rule.as_str())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn finding(certainty: &str, line: u32) -> Value {
        let elsewhere = json!({"role": "wanted", "file": "a.rs", "line": 99, "column": 1, "thread": 0});
        let here = json!({"role": "held", "file": "a.rs", "line": line, "column": 1, "thread": 0});
        json!({"rule": "deadlock", "certainty": certainty, "locations": [elsewhere, here]})
    }

    #[test]
    fn a_mark_names_its_own_line_or_one_before() {
        let marks = Mark::parse_all("a.rs", "x\ny //~ b | a\n//~^^ c certainty>=potential\n");
        let mark = |line, rules: &[&str], certainty| Mark {
            file: "a.rs".to_owned(),
            line,
            rules: rules.iter().map(|&rule| rule.to_owned()).collect(),
            certainty,
        };
        assert_eq!(marks, Ok(vec![mark(2, &["a", "b"], "predicted"), mark(1, &["c"], "potential")]));
    }

    #[test]
    fn a_mark_that_means_nothing_is_an_error() {
        for wrong in ["//~", "//~ a |", "//~ Two Words", "//~ a certainty>=sure", "//~^^^^ a"] {
            assert!(Mark::parse_all("a.rs", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_mark_is_met_by_its_rule_on_its_line_with_its_certainty() {
        let marks =
            Mark::parse_all("a.rs", "\n\n//~ deadlock | lost_wakeup").expect("the mark is well formed");
        assert!(marks[0].is_met_by(&finding("confirmed", 3)));
        assert!(marks[0].is_met_by(&finding("predicted", 3)));
        assert!(!marks[0].is_met_by(&finding("potential", 3)), "less certain");
        assert!(!marks[0].is_met_by(&finding("confirmed", 4)), "another line");
        let mut other = finding("confirmed", 3);
        other["rule"] = json!("double_lock");
        assert!(!marks[0].is_met_by(&other), "another rule");
    }
}
