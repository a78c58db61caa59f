//! Tests and programs that fail under some schedules.
//!
//! `confirmed`: an execution under the scheduler ended in a failed test, in a panic or another exit code of
//! `main`, in an exit or a signal in the midst of a test, and the schedule shows it again. What is wrong
//! may well be told by another finding of the same execution.
//!
//! Misses: failures that no schedule shows that was tried.

use crate::detectors::Detector;
use crate::finding::{Certainty, Finding, Location, ThreadRef};
use crate::model::execution::Execution;
use crate::model::names::Names;
use crate::run::meta::ExploredExecution;

/// The rule.
pub struct FailingSchedule;

const ID: &str = "failing_schedule";
const HELP: &str = "replay the schedule to see the order of events, and look at what the threads share without \
                    a lock, or in two critical sections instead of one";

impl Detector for FailingSchedule {
    fn id(&self) -> &'static str {
        ID
    }

    fn summary(&self) -> &'static str {
        "a test or a program fails under a schedule that the operating system may choose"
    }

    fn detect(&self, execution: &Execution, _: &dyn Names) -> Vec<Finding> {
        let Some(explored) = &execution.explored else { return Vec::new() };
        let how = match &*explored.ending {
            "failed" => "fails",
            "exited" => "ends the whole process",
            "killed" => "is killed by a signal",
            _ => return Vec::new(),
        };
        vec![finding(ID, HELP, explored, how, "panicked", "here it gave up")]
    }
}

/// The finding that an execution as a whole is.
pub(super) fn finding(
    rule: &str,
    help: &str,
    explored: &ExploredExecution,
    how: &str,
    role: &str,
    label: &str,
) -> Finding {
    let name = explored.test.clone().unwrap_or_else(|| "main".to_owned());
    let first = explored.message.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let said = if first.is_empty() { String::new() } else { format!(": {first}") };
    let location = explored.place.clone().map(|place| Location {
        role: role.to_owned(),
        place,
        thread: 0,
        label: label.to_owned(),
        held: Vec::new(),
        access: None,
        package: None,
        stack: Vec::new(),
    });
    let more: Vec<_> = explored.message.lines().filter(|line| !line.trim().is_empty()).skip(1).collect();
    Finding {
        rule: rule.to_owned(),
        certainty: Certainty::Confirmed,
        message: format!("`{name}` {how} under this schedule{said}"),
        help: help.to_owned(),
        count: 1,
        threads: vec![ThreadRef { id: 0, name, process: 0 }],
        objects: Vec::new(),
        locations: location.into_iter().collect(),
        witness: Vec::new(),
        notes: if more.is_empty() { Vec::new() } else { vec![more.join("; ")] },
        processes: Vec::new(),
        schedule: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::names::PlainNames;
    use crate::run::meta::RunMeta;

    fn detect(ending: &str) -> Vec<Finding> {
        let explored = ExploredExecution {
            test: Some("tests::adds".to_owned()),
            ending: ending.to_owned(),
            message: "assertion failed\n  left: 1\n right: 2".to_owned(),
            place: None,
        };
        let meta = RunMeta { explored: Some(explored), ..RunMeta::default() };
        let execution = Execution::load(Vec::new(), &meta);
        FailingSchedule.detect(&execution, &PlainNames(&execution))
    }

    #[test]
    fn a_failed_execution_is_told_with_what_it_said() {
        let [finding] = &detect("failed")[..] else { panic!("one finding") };
        assert_eq!(finding.message, "`tests::adds` fails under this schedule: assertion failed");
        assert_eq!(finding.notes, ["  left: 1;  right: 2"]);
    }

    #[test]
    fn executions_that_pass_or_have_a_rule_of_their_own_are_not() {
        for ending in ["passed", "deadlock", "livelock", "race"] {
            assert!(detect(ending).is_empty(), "{ending}");
        }
        let execution = Execution::default();
        assert!(FailingSchedule.detect(&execution, &PlainNames(&execution)).is_empty());
    }
}
