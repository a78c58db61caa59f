//! Threads that the process's exit kills while they hold a lock.
//!
//! `confirmed`: the process exited normally, and a thread that had not ended held a lock exclusively when
//! the recording ended. Locks held while the thread waits for a message are not counted (the queue of an
//! idle pool: nothing is half done there), nor are threads in a deadlock, which has its own rule, nor
//! the processes of a test harness, which abandons threads as a matter of course. Also `confirmed`: the thread
//! that ends the process holds a lock in memory that other processes share and use.
//!
//! `predicted`: it held none just then, but it has sections in which it stays (it sleeps, or waits for
//! somebody, with the lock held), and a reordering of this run puts the exit into one of them
//! ([`crate::model::sync_preserving`]). Short sections are left out: every thread that outlives `main`
//! has some, and they are rarely a problem.
//!
//! Misses: changes that no lock protects; processes that end by `abort` or a signal.

use snag_trace::{Kind, Mode, ObjectKind};

use crate::detectors::Detector;
use crate::detectors::evidence::{Case, held_before, waits_to};
use crate::finding::{Certainty, Finding};
use crate::model::execution::{Execution, ObjectId, SiteId, ThreadId};
use crate::model::names::Names;
use crate::model::sections::Section;
use crate::model::sync_preserving::{Keep, Outcome, Reorderings};
use crate::model::wait_for::Hold;

/// The rule.
pub struct ThreadKilledAtExit;

const ID: &str = "thread_killed_at_exit";
const HELP: &str = "keep the `JoinHandle`, tell the thread to stop and join it before `main` returns, or use \
                    `thread::scope`";

impl Detector for ThreadKilledAtExit {
    fn id(&self) -> &'static str {
        ID
    }

    fn summary(&self) -> &'static str {
        "the process exits while a thread that nobody joined holds a lock"
    }

    fn detect(&self, execution: &Execution, names: &dyn Names) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut reorderings = Reorderings::of(execution);
        for thread in execution.thread_ids() {
            let Some(exit) = exit_that_kills(execution, thread) else { continue };
            let mut held = execution.end().held(thread.0);
            held.retain(|hold| matches!(hold.mode, Mode::Exclusive | Mode::Upgradable));
            // The kernel gives up locks of files when a process ends.
            held.retain(|hold| !is_of_file(execution, ObjectId(hold.object)));
            if held.is_empty() {
                let killed = could_be_killed(execution, &mut reorderings, thread, exit);
                findings.extend(killed.map(|end| report_possible(execution, names, thread, end, exit)));
            }
            findings.extend(held.into_iter().map(|hold| report(execution, names, thread, hold)));
        }
        findings.extend(taken_along(execution, names));
        findings
    }
}

fn is_of_file(execution: &Execution, lock: ObjectId) -> bool {
    matches!(execution.kind(lock), Some(ObjectKind::FileLock | ObjectKind::RecordLock))
}

/// Locks in memory that processes share, which the thread that ends its process holds itself: the others
/// wait for them for ever.
fn taken_along(execution: &Execution, names: &dyn Names) -> Vec<Finding> {
    let mut findings = Vec::new();
    let exits = execution.processes.iter().filter(|process| process.is_whole());
    for exit in exits.filter_map(|process| process.exit) {
        let thread = execution.events[exit as usize].thread;
        for hold in execution.end().held(thread.0) {
            let lock = ObjectId(hold.object);
            let is_shared = execution.objects[lock.at()].shared.is_some() && !is_of_file(execution, lock);
            let process = execution.thread(thread).process;
            let others = execution
                .events
                .iter()
                .any(|event| event.object == lock && execution.thread(event.thread).process != process);
            if is_shared && others && hold.mode == Mode::Exclusive {
                findings.push(report_taken_along(execution, names, thread, hold));
            }
        }
    }
    findings
}

fn report_taken_along(execution: &Execution, names: &dyn Names, thread: ThreadId, hold: Hold) -> Finding {
    let lock = ObjectId(hold.object);
    let mut case = Case::new(execution, names, &[thread], &[lock]);
    let (name, lock_name) = (case.thread(thread), case.object(lock));
    let label = format!("{name} {}s {lock_name} here and still holds it at exit", case.verb(lock, hold.mode));
    case.at("acquired_first", thread, SiteId(hold.site), label, &[]);
    case.note("a robust mutex tells the next one who takes it that its holder has died".to_owned());
    let message = format!(
        "{name} ends its process while it holds {lock_name}, which other processes use: they wait for it for ever"
    );
    case.finding(ID, Certainty::Confirmed, message, "unlock it before the process exits, on every path")
}

/// The exit of its process, if that is what ended this thread, in the middle of its work.
fn exit_that_kills(execution: &Execution, thread: ThreadId) -> Option<u32> {
    let info = execution.thread(thread);
    let process = &execution.processes[info.process as usize];
    let exit = process.exit?;
    let exits_itself = execution.events[exit as usize].thread == thread;
    let wait = execution.end().blocked(thread.0);
    let idle = wait.is_some_and(|wait| wait.mode == Mode::Receive && !wait.timed);
    let lives = !info.ended && !exits_itself && !info.events.is_empty();
    let is_judged = process.is_whole() && !execution.test_harness;
    (lives && is_judged && !idle && !never_goes_on(execution, thread)).then_some(exit)
}

/// The end of a section of this thread in which it stays, if the exit can come before it.
fn could_be_killed(
    execution: &Execution,
    reorderings: &mut Reorderings<'_>,
    thread: ThreadId,
    exit: u32,
) -> Option<u32> {
    let sections = execution.sections().of_thread(thread);
    let stays = sections.filter(|section| section.mode == Mode::Exclusive && stays_in(execution, section));
    let mut ends: Vec<u32> = stays.filter_map(|section| section.end).collect();
    ends.retain(|&end| execution.events[end as usize].thread == thread);
    ends.sort_unstable();
    if ends.is_empty() {
        return None;
    }
    match reorderings.together(&[&ends, &[exit]], Keep::Everything) {
        Outcome::Together(events) => Some(events[0]),
        _ => None,
    }
}

/// Whether the thread sleeps in this section or waits for somebody.
fn stays_in(execution: &Execution, section: &Section) -> bool {
    let own = &execution.thread(section.thread).events;
    let from = own.partition_point(|&event| event <= section.begin);
    let inside = own[from..].iter().take_while(|&&event| section.end.is_some_and(|end| event < end));
    inside.into_iter().any(|&event| {
        let event = &execution.events[event as usize];
        let waits = matches!(event.mode, Mode::Sleep | Mode::Join | Mode::Barrier | Mode::Send);
        event.kind == Kind::Request && waits
    })
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
    case.finding(ID, Certainty::Confirmed, message, HELP)
}

fn report_possible(
    execution: &Execution,
    names: &dyn Names,
    thread: ThreadId,
    end: u32,
    exit: u32,
) -> Finding {
    let held = held_before(execution, end);
    let lock = execution.events[end as usize].object;
    let exits = execution.events[exit as usize].thread;
    let mut case = Case::new(execution, names, &[thread, exits], &[lock]);
    let (name, exits_name, lock_name) = (case.thread(thread), case.thread(exits), case.object(lock));
    if let Some(at) = held.iter().rposition(|hold| hold.object == lock.0) {
        let (site, verb) = (SiteId(held[at].site), case.verb(lock, held[at].mode));
        let label = format!("{name} {verb}s {lock_name} here and can still hold it at exit");
        case.at("acquired_first", thread, site, label, &held[..at]);
        case.step(thread, format!("{verb}s {lock_name}"), site);
    }
    case.step(exits, "ends the process".to_owned(), SiteId::default());
    let message = format!(
        "{exits_name} can end the process while {name} holds {lock_name}: what it was doing stays half done"
    );
    case.finding(ID, Certainty::Predicted, message, HELP)
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
    fn a_section_with_a_sleep_in_it_can_be_cut_short_by_an_exit_that_waits_for_nothing() {
        let daemon = "2 lock m\n2 timed-sleep\n2 unlock m\n";
        let [finding] = &found(&format!("{daemon}1 exit\n2 timed-sleep"))[..] else { panic!("one finding") };
        assert_eq!(finding.certainty, Certainty::Predicted);
        assert_eq!(finding.witness.len(), 2);
        assert!(found(&format!("{daemon}2 send ch 1\n1 receive ch 1\n1 exit")).is_empty());
        assert!(found(&format!("{daemon}2 end\n1 exit")).is_empty());
        assert!(found("2 lock m\n2 set m\n2 unlock m\n1 exit").is_empty());
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
