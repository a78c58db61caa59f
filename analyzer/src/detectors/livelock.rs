//! Threads that go round in circles.
//!
//! `confirmed`: an execution under the scheduler passed the bound on its points, and for the second half
//! of them nothing changed that another thread could notice: no variable got another value, nothing was
//! sent, nobody was woken, no thread began or ended. All threads had been let run again and again.
//!
//! Misses: circles in which something changes (two threads that give way to each other for ever): those
//! are counted as executions that did not end.

use crate::detectors::Detector;
use crate::detectors::failing_schedule::finding;
use crate::finding::Finding;
use crate::model::execution::Execution;
use crate::model::names::Names;

/// The rule.
pub struct Livelock;

const ID: &str = "livelock";
const HELP: &str = "find who was to change what the loop waits for, and why it has ended or never came there; \
                    a wait on a condvar, a channel or `park` would show as a deadlock instead";

impl Detector for Livelock {
    fn id(&self) -> &'static str {
        ID
    }

    fn summary(&self) -> &'static str {
        "threads run for ever without anything changing"
    }

    fn detect(&self, execution: &Execution, _: &dyn Names) -> Vec<Finding> {
        let explored = execution.explored.as_ref().filter(|explored| explored.ending == "livelock");
        let how = "never ends: its threads go round in circles";
        explored
            .map(|explored| finding(ID, HELP, explored, how, "loops", "a thread comes here again and again"))
            .into_iter()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::names::PlainNames;
    use crate::run::meta::{ExploredExecution, RunMeta};

    fn detect(ending: &str) -> usize {
        let explored = ExploredExecution { ending: ending.to_owned(), ..ExploredExecution::default() };
        let meta = RunMeta { explored: Some(explored), ..RunMeta::default() };
        let execution = Execution::load(Vec::new(), &meta);
        Livelock.detect(&execution, &PlainNames(&execution)).len()
    }

    #[test]
    fn only_a_livelock_is_one() {
        assert_eq!((detect("livelock"), detect("failed"), detect("passed")), (1, 0, 0));
    }
}
