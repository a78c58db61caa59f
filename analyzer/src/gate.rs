//! The gate: findings and levels in, exit code out. See docs/exit-codes.md.

use crate::error::Error;
use crate::finding::{Certainty, Finding, Location, ProgramStatus};

/// Nothing denied was found and the program succeeded.
pub const CLEAN: u8 = 0;
/// Something denied was found.
pub const DENIED: u8 = 1;
/// Snag itself could not work.
pub const SNAG_FAILED: u8 = 2;

/// What `--deny` calls every finding that a person must judge.
const POTENTIAL: &str = "potential";

/// What the user says of findings.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args, serde::Serialize, serde::Deserialize)]
pub struct Levels {
    /// Fail on these as well: `potential` for every potential finding, or one rule's
    #[arg(long, value_name = "potential|RULE", help_heading = "Findings")]
    pub deny: Vec<String>,
    /// Report what this rule finds, but do not fail
    #[arg(long, value_name = "RULE", help_heading = "Findings")]
    pub warn: Vec<String>,
    /// Do not report what this rule finds
    #[arg(long, value_name = "RULE", help_heading = "Findings")]
    pub allow: Vec<String>,
}

/// A part of the code of which findings are not reported: `{ rule = "data_race", path = "~registry/ring-" }`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ignore {
    /// The rule; all rules if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// How the paths of its files begin, as reports name them.
    pub path: String,
}

impl Ignore {
    /// Whether it is about this finding: of this rule, with every one of its places in there.
    #[must_use]
    pub fn covers(&self, finding: &Finding) -> bool {
        let is_inside = |location: &Location| {
            // What is done there is the innermost code's that is not the standard library's.
            let stack = location.stack.iter().filter_map(|frame| frame.place.as_ref());
            let innermost = stack.into_iter().find(|place| !place.is_library()).unwrap_or(&location.place);
            innermost.file.starts_with(&self.path)
        };
        self.rule.as_ref().is_none_or(|rule| *rule == finding.rule)
            && !finding.locations.is_empty()
            && finding.locations.iter().all(is_inside)
    }
}

impl Levels {
    /// Refuses rules that do not exist.
    ///
    /// # Errors
    /// Names the first such rule, and all that exist.
    pub fn check(&self, rules: &[&str]) -> Result<(), Error> {
        let denied = self.deny.iter().filter(|name| *name != POTENTIAL);
        let unknown =
            denied.chain(&self.warn).chain(&self.allow).find(|name| !rules.contains(&name.as_str()));
        match unknown {
            None => Ok(()),
            Some(name) => Err(Error::UnknownRule { name: name.clone(), known: rules.join(", ") }),
        }
    }

    /// Whether a report is to speak of it.
    #[must_use]
    pub fn reports(&self, finding: &Finding) -> bool {
        !self.allow.contains(&finding.rule)
    }

    /// Whether it makes snag fail. A rule's own level counts more than `--deny potential`, and
    /// `--warn` more than `--deny`.
    #[must_use]
    pub fn denies(&self, finding: &Finding) -> bool {
        if !self.reports(finding) || self.warn.contains(&finding.rule) {
            return false;
        }
        finding.certainty >= Certainty::Predicted
            || self.deny.iter().any(|name| *name == POTENTIAL || *name == finding.rule)
    }

    /// The exit code for these findings of this program.
    #[must_use]
    pub fn exit_code(&self, findings: &[Finding], program: ProgramStatus) -> u8 {
        if findings.iter().any(|finding| self.denies(finding)) {
            return DENIED;
        }
        match (program.exit, program.signal) {
            // A status has eight bits on Unix.
            (Some(code), _) => u8::try_from(code).unwrap_or(u8::MAX),
            (None, Some(signal)) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
            (None, None) => CLEAN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Frame, Place};

    fn finding(rule: &str, certainty: Certainty) -> Finding {
        Finding {
            rule: rule.to_owned(),
            certainty,
            message: String::new(),
            help: String::new(),
            count: 1,
            threads: Vec::new(),
            objects: Vec::new(),
            locations: Vec::new(),
            witness: Vec::new(),
            notes: Vec::new(),
            processes: Vec::new(),
            schedule: None,
        }
    }

    fn levels(deny: &[&str], warn: &[&str], allow: &[&str]) -> Levels {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Levels { deny: owned(deny), warn: owned(warn), allow: owned(allow) }
    }

    const SUCCESS: ProgramStatus = ProgramStatus { exit: Some(0), signal: None };

    #[test]
    fn confirmed_and_predicted_are_denied_by_default_and_potential_is_not() {
        let code = |certainty| Levels::default().exit_code(&[finding("deadlock", certainty)], SUCCESS);
        assert_eq!(code(Certainty::Confirmed), DENIED);
        assert_eq!(code(Certainty::Predicted), DENIED);
        assert_eq!(code(Certainty::Potential), CLEAN);
    }

    #[test]
    fn potential_findings_are_denied_all_together_or_by_rule() {
        let found = [finding("deadlock", Certainty::Potential)];
        assert_eq!(levels(&["potential"], &[], &[]).exit_code(&found, SUCCESS), DENIED);
        assert_eq!(levels(&["deadlock"], &[], &[]).exit_code(&found, SUCCESS), DENIED);
        assert_eq!(levels(&["other"], &[], &[]).exit_code(&found, SUCCESS), CLEAN);
    }

    #[test]
    fn a_warned_rule_is_reported_and_an_allowed_one_is_not_and_neither_fails() {
        let found = finding("deadlock", Certainty::Confirmed);
        let (warned, allowed) = (levels(&["potential"], &["deadlock"], &[]), levels(&[], &[], &["deadlock"]));
        assert_eq!((warned.reports(&found), warned.denies(&found)), (true, false));
        assert_eq!((allowed.reports(&found), allowed.denies(&found)), (false, false));
    }

    #[test]
    fn the_programs_own_failure_passes_through_unless_something_is_denied() {
        let failed = ProgramStatus { exit: Some(7), signal: None };
        let killed = ProgramStatus { exit: None, signal: Some(11) };
        assert_eq!(Levels::default().exit_code(&[], failed), 7);
        assert_eq!(Levels::default().exit_code(&[], killed), 139);
        let found = [finding("deadlock", Certainty::Confirmed)];
        assert_eq!(Levels::default().exit_code(&found, killed), DENIED);
    }

    #[test]
    fn what_is_ignored_lies_wholly_in_the_ignored_code() {
        let mut found = finding("data_race", Certainty::Confirmed);
        let ignore =
            |rule: Option<&str>, path: &str| Ignore { rule: rule.map(str::to_owned), path: path.to_owned() };
        assert!(!ignore(None, "").covers(&found), "it has no place");
        let place = |file: &str| Place { file: file.to_owned(), line: 1, column: 1 };
        let at = |file: &str, inner: &[&str]| Location {
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
        };
        let inner = ["~rust/library/core/src/ptr.rs", "~registry/ring-0.17.8/src/lib.rs"];
        found.locations = vec![at("src/main.rs", &inner)];
        assert!(ignore(Some("data_race"), "~registry/ring-").covers(&found));
        assert!(ignore(None, "~registry/ring-").covers(&found));
        assert!(!ignore(Some("deadlock"), "~registry/ring-").covers(&found));
        assert!(!ignore(None, "src/").covers(&found));
        found.locations.push(at("src/main.rs", &[]));
        assert!(!ignore(None, "~registry/ring-").covers(&found), "one side is elsewhere");
    }

    #[test]
    fn a_rule_that_does_not_exist_is_refused_with_those_that_do() {
        let error = levels(&[], &["dead_lock"], &[]).check(&["deadlock", "lost_wakeup"]).unwrap_err();
        assert!(matches!(error, Error::UnknownRule { known, .. } if known == "deadlock, lost_wakeup"));
        assert!(levels(&["potential", "deadlock"], &[], &[]).check(&["deadlock"]).is_ok());
    }
}
