//! Threads that the process's exit kills while they hold a lock.
//!
//! `confirmed`: the process exited normally, and a thread that had not ended held a lock exclusively when
//! the recording ended. Locks held while the thread waits for a message are not counted (the queue of an
//! idle pool: nothing is half done there), nor are threads in a deadlock, which has its own rule, nor
//! the processes of a test harness, which abandons threads as a matter of course.
//!
//! Misses: changes that no lock protects; threads that hold a lock often but not at the exit of this
//! run; processes that end by `abort` or a signal.

use snag_trace::Mode;

use crate::detectors::Detector;
use crate::detectors::evidence::{Case, waits_to};
use crate::finding::{Certainty, Finding};
use crate::model::execution::{Execution, ObjectId, SiteId, ThreadId};
use crate::model::names::Names;
use crate::model::wait_for::Hold;

/// The rule.
pub struct ThreadKilledAtExit;

const ID: &str = "thread_killed_at_exit";

impl Detector for ThreadKilledAtExit {
    fn id(&self) -> &'static str {
        ID
    }

    fn summary(&self) -> &'static str {
        "the process exits while a thread that nobody joined holds a lock"
    }

    fn detect(&self, execution: &Execution, names: &dyn Names) -> Vec<Finding> {
        let mut findings = Vec::new();
        for thread in execution.thread_ids() {
            for hold in killed_with(execution, thread) {
                findings.push(report(execution, names, thread, hold));
            }
        }
        findings
    }
}

/// Locks that this thread held exclusively when its process exited.
fn killed_with(execution: &Execution, thread: ThreadId) -> Vec<Hold> {
    let end = execution.end();
    let info = execution.thread(thread);
    let process = &execution.processes[info.process as usize];
    let Some(exit) = process.exit else { return Vec::new() };
    let ends_itself = execution.events[exit as usize].thread == thread;
    let idle = end.blocked(thread.0).is_some_and(|wait| wait.mode == Mode::Receive && !wait.timed);
    if info.ended || ends_itself || idle || !process.is_whole() || execution.test_harness {
        return Vec::new();
    }
    if never_goes_on(execution, thread) {
        return Vec::new();
    }
    let mut held = end.held(thread.0);
    held.retain(|hold| matches!(hold.mode, Mode::Exclusive | Mode::Upgradable));
    held
}

/// Whether the thread is in a deadlock or waits for one that is.
fn never_goes_on(execution: &Execution, thread: ThreadId) -> bool {
    let end = execution.end();
    let dead: Vec<u32> = end.deadlocked().into_iter().flatten().collect();
    let mut seen = vec![thread.0];
    let mut next = 0;
    while next < seen.len() {
        if dead.contains(&seen[next]) {
            return true;
        }
        for owner in end.waits_for(seen[next]) {
            if !seen.contains(&owner) {
                seen.push(owner);
            }
        }
        next += 1;
    }
    false
}

fn report(execution: &Execution, names: &dyn Names, thread: ThreadId, hold: Hold) -> Finding {
    let lock = ObjectId(hold.object);
    let mut case = Case::new(execution, names, &[thread], &[lock]);
    let outer: Vec<Hold> =
        execution.end().held(thread.0).into_iter().filter(|other| other.seq < hold.seq).collect();
    let name = case.thread(thread);
    let label = format!(
        "{name} {}s {} here and still holds it at exit",
        case.verb(lock, hold.mode),
        case.object(lock)
    );
    case.at("acquired_first", thread, SiteId(hold.site), label, &outer);
    if let Some(wait) = execution.end().blocked(thread.0) {
        let label = format!("{name} {} when the process exits", waits_to(&case, wait));
        case.at("killed", thread, SiteId(wait.site), label, &execution.end().held(thread.0));
    }
    let spawned_at = execution.thread(thread).spawned_at;
    let parent = execution.thread(thread).parent;
    if !parent.is_none() {
        let label = format!("{name} is spawned here, and nobody joins it before the exit");
        case.at("spawned", parent, spawned_at, label, &[]);
    }
    let message = format!(
        "the process exits while {name} holds {}: what it was doing stays half done",
        case.object(lock)
    );
    let help = "keep the `JoinHandle`, tell the thread to stop and join it before `main` returns, or use \
                `thread::scope`";
    case.finding(ID, Certainty::Confirmed, message, help)
}

#[cfg(test)]
mod tests {
    use super::ThreadKilledAtExit;
    use crate::detectors::{Detector, find};
    use crate::finding::{Certainty, Finding};
    use crate::model::names::PlainNames;
    use crate::model::script::execution;

    fn found(script: &str) -> Vec<Finding> {
        find(&ThreadKilledAtExit, script)
    }

    #[test]
    fn a_thread_that_sleeps_with_a_lock_when_main_returns() {
        let [finding] = &found("2 lock m\n2 set m\n2 timed-sleep\n1 exit")[..] else { panic!("one finding") };
        assert_eq!(finding.certainty, Certainty::Confirmed);
        let places: Vec<_> =
            finding.locations.iter().map(|location| (location.role.as_str(), location.place.line)).collect();
        assert_eq!(places, [("acquired_first", 1), ("killed", 3)]);
    }

    #[test]
    fn a_thread_that_holds_nothing_or_ended_or_exits_itself_is_clean() {
        for script in [
            "2 lock m\n2 unlock m\n2 timed-sleep\n1 exit",
            "2 lock m\n2 unlock m\n2 end\n1 exit",
            "1 lock m\n1 exit",
            "2 read rw\n1 exit",
        ] {
            assert!(found(script).is_empty(), "{script}");
        }
    }

    #[test]
    fn an_idle_worker_with_its_queues_lock_is_clean() {
        assert!(found("2 lock m\n2 want-message ch\n3 want m\n1 exit").is_empty());
    }

    #[test]
    fn a_deadlock_and_a_process_that_did_not_exit_are_other_stories() {
        assert!(found("2 lock m1\n3 lock m2\n2 want m2\n3 want m1\n4 lock m3\n4 want m1\n1 exit").is_empty());
        assert!(found("2 lock m\n1 park").is_empty());
    }

    #[test]
    fn a_test_harness_may_abandon_its_threads() {
        let mut execution = execution("2 lock m\n1 exit");
        execution.test_harness = true;
        assert!(ThreadKilledAtExit.detect(&execution, &PlainNames(&execution)).is_empty());
    }
}
