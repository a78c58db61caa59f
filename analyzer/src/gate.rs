//! The gate: findings and levels in, exit code out. See docs/exit-codes.md.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::finding::{Certainty, Finding, ProgramStatus};

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
    /// What the project's configuration says, by rule or certainty; the flags count more.
    #[arg(skip)]
    #[serde(default)]
    pub configured: BTreeMap<String, Level>,
}

/// What is done about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It is not reported.
    Allow,
    /// It is reported.
    Warn,
    /// It is reported, and snag fails.
    Deny,
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

    /// These levels, in a project whose configuration says this.
    #[must_use]
    pub fn within(&self, configured: &BTreeMap<String, Level>) -> Levels {
        Levels { configured: configured.clone(), ..self.clone() }
    }

    /// What is done about a finding. A flag counts more than the configuration, a rule's own level more than its
    /// certainty's, and `--warn` more than `--deny`.
    #[must_use]
    pub fn level(&self, finding: &Finding) -> Level {
        let names = |list: &[String]| list.contains(&finding.rule);
        let certainty = match finding.certainty {
            Certainty::Potential => POTENTIAL,
            Certainty::Predicted => "predicted",
            Certainty::Confirmed => "confirmed",
        };
        let is_potential = finding.certainty == Certainty::Potential;
        if names(&self.allow) {
            Level::Allow
        } else if names(&self.warn) {
            Level::Warn
        } else if names(&self.deny) {
            Level::Deny
        } else if let Some(&level) = self.configured.get(&finding.rule) {
            level
        } else if is_potential && self.deny.iter().any(|name| name == POTENTIAL) {
            Level::Deny
        } else if let Some(&level) = self.configured.get(certainty) {
            level
        } else if is_potential {
            Level::Warn
        } else {
            Level::Deny
        }
    }

    /// Whether a report is to speak of it.
    #[must_use]
    pub fn reports(&self, finding: &Finding) -> bool {
        self.level(finding) > Level::Allow
    }

    /// Whether it makes snag fail.
    #[must_use]
    pub fn denies(&self, finding: &Finding) -> bool {
        self.level(finding) == Level::Deny
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

    fn finding(rule: &str, certainty: Certainty) -> Finding {
        Finding {
            rule: rule.to_owned(),
            certainty,
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

    fn levels(deny: &[&str], warn: &[&str], allow: &[&str]) -> Levels {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Levels { deny: owned(deny), warn: owned(warn), allow: owned(allow), configured: BTreeMap::new() }
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
    fn the_configuration_counts_less_than_flags_and_a_rule_more_than_its_certainty() {
        let configured = |pairs: &[(&str, Level)]| {
            pairs.iter().map(|(name, level)| ((*name).to_owned(), *level)).collect::<BTreeMap<_, _>>()
        };
        let found = finding("deadlock", Certainty::Potential);
        let plain = Levels::default();
        let level =
            |levels: &Levels, pairs: &[(&str, Level)]| levels.within(&configured(pairs)).level(&found);
        assert_eq!(level(&plain, &[]), Level::Warn);
        assert_eq!(level(&plain, &[("potential", Level::Deny)]), Level::Deny);
        assert_eq!(level(&plain, &[("potential", Level::Deny), ("deadlock", Level::Allow)]), Level::Allow);
        assert_eq!(level(&levels(&["deadlock"], &[], &[]), &[("deadlock", Level::Allow)]), Level::Deny);
        assert_eq!(level(&levels(&["potential"], &[], &[]), &[("deadlock", Level::Warn)]), Level::Warn);
    }

    #[test]
    fn a_rule_that_does_not_exist_is_refused_with_those_that_do() {
        let error = levels(&[], &["dead_lock"], &[]).check(&["deadlock", "lost_wakeup"]).unwrap_err();
        assert!(matches!(error, Error::UnknownRule { known, .. } if known == "deadlock, lost_wakeup"));
        assert!(levels(&["potential", "deadlock"], &[], &[]).check(&["deadlock"]).is_ok());
    }
}
