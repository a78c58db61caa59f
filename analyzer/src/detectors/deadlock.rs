//! Threads that wait for each other and can never go on: it happened.
//!
//! Circles over known owners (locks, joins, onces; a thread that waits for itself included) are
//! judged at the end of every trace, whatever became of the rest of the process: such a circle never
//! opens again. Circles through condvars and messages, whose partners are inferred, are judged only
//! in a process that snag found stuck ([`crate::model::standstill`]), and circles over several processes in
//! those that it found stuck together ([`crate::model::family_standstill`]).
//!
//! Misses: what goes through waits that are not recorded, and circles that a time-out opens.

use snag_trace::{Mode, ObjectKind};

use crate::detectors::Detector;
use crate::detectors::evidence::{Case, family, place, waits_to};
use crate::finding::{Certainty, Finding};
use crate::model::execution::{Execution, ObjectId, SiteId, ThreadId};
use crate::model::family_standstill::{FamilyStandstill, family_standstills};
use crate::model::names::Names;
use crate::model::standstill::{Cause, Standstill, standstills};
use crate::model::wait_for::{Blocked, Hold};

/// The rule.
pub struct Deadlock;

const ID: &str = "deadlock";

impl Detector for Deadlock {
    fn id(&self) -> &'static str {
        ID
    }

    fn summary(&self) -> &'static str {
        "threads wait for each other, or one for itself, and can never go on"
    }

    fn detect(&self, execution: &Execution, names: &dyn Names) -> Vec<Finding> {
        let groups = execution.end().deadlocked().into_iter();
        let groups = groups.map(|group| group.into_iter().map(ThreadId).collect::<Vec<_>>());
        let mut findings: Vec<Finding> = groups
            .filter(|group| is_final(execution, group))
            .map(|group| turn(execution, names, ring(execution, &group)))
            .map(|ring| report_owners(execution, names, &ring))
            .collect();
        for standstill in standstills(execution) {
            match &standstill.cause {
                Cause::Holding(waiter) => {
                    findings.push(report_holding(execution, names, &standstill, *waiter));
                }
                Cause::Messages(threads) => {
                    findings.push(report_messages(execution, names, &standstill, threads));
                }
                _ => {}
            }
        }
        let families = family_standstills(execution).into_iter();
        let new = families.filter(|family| family.is_deadlock() && !is_known(execution, family));
        findings.extend(new.map(|family| family::report(execution, names, &family, ID)));
        findings
    }
}

/// Whether the circle is one of locks and joins alone, which is told by its threads.
fn is_known(execution: &Execution, family: &FamilyStandstill) -> bool {
    let known: Vec<u32> = execution.end().deadlocked().into_iter().flatten().collect();
    family.ring.iter().all(|&at| known.contains(&family.waits[at].thread.0))
}

/// Whether a circle is one for ever. `pthread` reader-writer locks may let a reader overtake a waiting
/// writer, so that a circle through such a pair counts only if the process did not go on.
fn is_final(execution: &Execution, group: &[ThreadId]) -> bool {
    let process = &execution.processes[execution.thread(group[0]).process as usize];
    let overtakes = |thread: &ThreadId| {
        execution.end().blocked(thread.0).is_some_and(|wait| {
            wait.mode == Mode::Shared
                && execution.kind(ObjectId(wait.object)) == Some(ObjectKind::PthreadRwLock)
        })
    };
    process.is_whole() && (process.stuck.is_some() || !group.iter().any(overtakes))
}

/// The circle, begun at the first place in the source where one of it waits: the same bug reads the
/// same, whoever came first.
fn turn(execution: &Execution, names: &dyn Names, mut ring: Vec<ThreadId>) -> Vec<ThreadId> {
    let place = |thread: ThreadId| place(execution, names, SiteId(wait_of(execution, thread).site));
    let start = (0..ring.len()).min_by_key(|&at| (place(ring[at]), ring[at])).unwrap_or_default();
    ring.rotate_left(start);
    ring
}

/// A shortest circle among threads that all wait for each other, each before the one that it waits for.
fn ring(execution: &Execution, group: &[ThreadId]) -> Vec<ThreadId> {
    let next = |thread: ThreadId| -> Vec<ThreadId> {
        let owners = execution.end().waits_for(thread.0).into_iter().map(ThreadId);
        owners.filter(|owner| group.contains(owner)).collect()
    };
    let mut ways: Vec<Vec<ThreadId>> = vec![vec![group[0]]];
    for _ in 0..group.len() {
        let mut longer: Vec<Vec<ThreadId>> = Vec::new();
        for way in &ways {
            for owner in next(way[way.len() - 1]) {
                if owner == group[0] {
                    return way.clone();
                }
                let is_new = !way.contains(&owner) && longer.iter().all(|other| other.last() != Some(&owner));
                if is_new {
                    longer.push([&way[..], &[owner]].concat());
                }
            }
        }
        ways = longer;
    }
    group.to_vec()
}

fn wait_of(execution: &Execution, thread: ThreadId) -> Blocked {
    *execution.end().blocked(thread.0).expect("a thread in a circle waits")
}

fn hold_of(execution: &Execution, thread: ThreadId, object: u32) -> Option<Hold> {
    execution.end().held(thread.0).into_iter().rfind(|hold| hold.object == object)
}

fn report_owners(execution: &Execution, names: &dyn Names, ring: &[ThreadId]) -> Finding {
    let waits: Vec<Blocked> = ring.iter().map(|&thread| wait_of(execution, thread)).collect();
    let objects: Vec<ObjectId> = waits.iter().map(|wait| ObjectId(wait.object)).collect();
    let mut case = Case::new(execution, names, ring, &objects);
    for (at, (&thread, wait)) in ring.iter().zip(&waits).enumerate() {
        // What the thread before this one waits for.
        let wanted = waits[(at + ring.len() - 1) % ring.len()];
        add_hold(&mut case, execution, thread, wanted.object);
        let next = ring[(at + 1) % ring.len()];
        let label = match (ring.len(), wait.mode) {
            (1, _) => {
                let (thread, object) = (case.thread(thread), case.object(ObjectId(wait.object)));
                format!("{thread} waits here to get {object} again")
            }
            (_, Mode::Join) => format!("{} waits here for {} to end", case.thread(thread), case.thread(next)),
            _ => format!("{} {}", case.thread(thread), waits_to(&case, wait)),
        };
        case.at("wanted", thread, SiteId(wait.site), label, &execution.end().held(thread.0));
    }
    note_others(&mut case, execution, ring);
    let joins = waits.iter().any(|wait| wait.mode == Mode::Join);
    let once = waits.iter().any(|wait| wait.mode == Mode::Once);
    let help = match ring.len() {
        1 if once => {
            "an initialiser must not need the value that it makes: pass what it needs as an argument"
        }
        1 => {
            "release the lock before calling code that takes it, or split off a function that works on what \
             is locked already"
        }
        _ if joins => "release the lock before joining a thread that needs it",
        _ => "take these locks in the same order everywhere, or release one before taking the next",
    };
    let message = owners_message(&case, execution, ring, &waits);
    case.finding(ID, Certainty::Confirmed, message, help)
}

fn add_hold(case: &mut Case<'_>, execution: &Execution, thread: ThreadId, object: u32) {
    let Some(hold) = hold_of(execution, thread, object) else { return };
    let lock = ObjectId(object);
    let held = execution.end().held(thread.0);
    let outer: Vec<Hold> = held.into_iter().filter(|other| other.seq < hold.seq).collect();
    let label = format!("{} {}s {} here", case.thread(thread), case.verb(lock, hold.mode), case.object(lock));
    case.at("acquired_first", thread, SiteId(hold.site), label, &outer);
}

fn owners_message(case: &Case<'_>, execution: &Execution, ring: &[ThreadId], waits: &[Blocked]) -> String {
    let object = |wait: &Blocked| case.object(ObjectId(wait.object));
    if let ([thread], [wait]) = (ring, waits) {
        let thread = case.thread(*thread);
        return match wait.mode {
            Mode::Once => {
                format!("{thread} waits for the initialisation of {}, which it runs itself", object(wait))
            }
            Mode::Join => format!("{thread} waits for its own end"),
            _ => format!("{thread} waits for {}, which it holds itself", object(wait)),
        };
    }
    let wait = |(at, wait): (usize, &Blocked)| {
        let (thread, next) = (case.thread(ring[at]), case.thread(ring[(at + 1) % ring.len()]));
        match wait.mode {
            Mode::Join => format!("{thread} for the end of {next}"),
            Mode::Once => format!("{thread} for {}, which {next} initialises", object(wait)),
            _ if hold_of(execution, ring[(at + 1) % ring.len()], wait.object).is_some() => {
                format!("{thread} for {}, which {next} holds", object(wait))
            }
            _ => format!("{thread} for {}, for which {next} waits before it", object(wait)),
        }
    };
    let all: Vec<String> = waits.iter().enumerate().map(wait).collect();
    format!("deadlock: {} wait for each other: {}", case.threads(ring), all.join("; "))
}

/// Says who else waits for the threads of the circle, directly or not.
fn note_others(case: &mut Case<'_>, execution: &Execution, ring: &[ThreadId]) {
    let mut behind: Vec<ThreadId> = Vec::new();
    loop {
        let before = behind.len();
        for thread in execution.thread_ids() {
            let known = |other: &ThreadId| ring.contains(other) || behind.contains(other);
            let waits =
                execution.end().waits_for(thread.0).into_iter().map(ThreadId).any(|owner| known(&owner));
            if waits && !known(&thread) {
                behind.push(thread);
            }
        }
        if behind.len() == before {
            break;
        }
    }
    behind.sort_unstable();
    match &behind[..] {
        [] => {}
        [one] => case.note(format!("{} waits for them as well", case.thread(*one))),
        several => case.note(format!("{} more threads wait for them as well", several.len())),
    }
}

fn report_holding(
    execution: &Execution,
    names: &dyn Names,
    standstill: &Standstill,
    waiter: ThreadId,
) -> Finding {
    let wait = wait_of(execution, waiter);
    let wants_its_lock = |&&(thread, other): &&(ThreadId, Blocked)| {
        thread != waiter
            && execution.end().waits_for(thread.0).contains(&waiter.0)
            && other.mode != Mode::Join
    };
    let wanting: Vec<(ThreadId, Blocked)> = standstill.waits.iter().filter(wants_its_lock).copied().collect();
    let others: Vec<ThreadId> = wanting.iter().map(|(thread, _)| *thread).collect();
    let threads = [&[waiter], &others[..]].concat();
    let locks = wanting.iter().map(|(_, other)| ObjectId(other.object));
    let objects: Vec<ObjectId> = locks.chain([ObjectId(wait.object)]).collect();
    let mut case = Case::new(execution, names, &threads, &objects);
    let mut locks: Vec<u32> = wanting.iter().map(|(_, other)| other.object).collect();
    locks.sort_unstable();
    locks.dedup();
    for &lock in &locks {
        add_hold(&mut case, execution, waiter, lock);
    }
    let label = format!("{} {}", case.thread(waiter), waits_to(&case, &wait));
    case.at("waits", waiter, SiteId(wait.site), label, &execution.end().held(waiter.0));
    for (thread, other) in &wanting {
        let label = format!("{} {}", case.thread(*thread), waits_to(&case, other));
        case.at("wanted", *thread, SiteId(other.site), label, &execution.end().held(thread.0));
    }
    let names: Vec<String> = locks.iter().map(|&lock| case.object(ObjectId(lock))).collect();
    let message = format!(
        "deadlock: {} {} while it holds {}, which {} {} first",
        case.thread(waiter),
        waits_to(&case, &wait).trim_end_matches(" here").replace(" here ", " "),
        Case::list(&names),
        case.threads(&others),
        if others.len() == 1 { "needs" } else { "need" },
    );
    let help = "release the lock before waiting for something that another thread does under it";
    case.finding(ID, Certainty::Confirmed, message, help)
}

fn report_messages(
    execution: &Execution,
    names: &dyn Names,
    standstill: &Standstill,
    threads: &[ThreadId],
) -> Finding {
    let objects: Vec<ObjectId> =
        threads.iter().map(|&thread| ObjectId(wait_of(execution, thread).object)).collect();
    let mut case = Case::new(execution, names, threads, &objects);
    for &thread in threads {
        let wait = wait_of(execution, thread);
        let label = format!("{} {}", case.thread(thread), waits_to(&case, &wait));
        case.at("waits", thread, SiteId(wait.site), label, &execution.end().held(thread.0));
    }
    let others = standstill.waits.len() - threads.len();
    if others > 0 {
        case.note(format!(
            "{others} more {} for them",
            if others == 1 { "thread waits" } else { "threads wait" }
        ));
    }
    let message = format!(
        "deadlock: {} wait for messages that only a thread which waits itself could send",
        case.threads(threads)
    );
    let help = "let one side send before it receives, or receive with a timeout";
    case.finding(ID, Certainty::Confirmed, message, help)
}

#[cfg(test)]
mod tests {
    use super::Deadlock;
    use crate::detectors::find;
    use crate::finding::{Certainty, Finding};

    fn found(script: &str) -> Vec<Finding> {
        find(&Deadlock, script)
    }

    fn places(finding: &Finding) -> Vec<(&str, u32)> {
        finding.locations.iter().map(|location| (location.role.as_str(), location.place.line)).collect()
    }

    #[test]
    fn two_locks_and_two_threads_with_all_four_places() {
        let [finding] = &found("1 lock m1\n2 lock m2\n1 want m2\n2 want m1\n3 want m1\nstuck")[..] else {
            panic!("one finding")
        };
        assert_eq!(finding.certainty, Certainty::Confirmed);
        assert_eq!(
            finding.message,
            "deadlock: `main` and `t2` wait for each other: `main` for `mutex 2`, which `t2` holds; \
             `t2` for `mutex 1`, which `main` holds"
        );
        assert_eq!(
            places(finding),
            [("acquired_first", 1), ("wanted", 3), ("acquired_first", 2), ("wanted", 4)]
        );
        assert_eq!(finding.notes, ["`t3` waits for them as well"]);
    }

    #[test]
    fn a_circle_begins_where_its_first_place_is_whichever_thread_is_older() {
        let [finding] = &found("1 lock m1\n2 lock m2\n2 want m1\n1 want m2\nstuck")[..] else {
            panic!("one finding")
        };
        assert!(finding.message.starts_with("deadlock: `t2` and `main`"), "{}", finding.message);
    }

    #[test]
    fn a_thread_that_locks_twice_waits_for_itself() {
        let [finding] = &found("1 lock m1\n1 want m1\nstuck")[..] else { panic!("one finding") };
        assert_eq!(finding.message, "`main` waits for `mutex 1`, which it holds itself");
        assert_eq!(places(finding), [("acquired_first", 1), ("wanted", 2)]);
    }

    #[test]
    fn a_partial_deadlock_is_found_at_the_end_of_a_run_that_went_on() {
        assert_eq!(found("2 lock m1\n3 lock m2\n2 want m2\n3 want m1\n1 exit").len(), 1);
    }

    #[test]
    fn joining_a_thread_while_holding_its_lock() {
        let [finding] = &found("1 lock m1\n2 want m1\n1 want-join 2\nstuck")[..] else {
            panic!("one finding")
        };
        let mut lines = places(finding);
        lines.sort_unstable();
        assert_eq!(lines, [("acquired_first", 1), ("wanted", 2), ("wanted", 3)]);
        assert!(finding.message.contains("`main` for the end of `t2`"), "{}", finding.message);
    }

    #[test]
    fn upgrading_a_read_lock_and_a_recursive_initialiser_are_waits_for_oneself() {
        assert_eq!(found("1 read rw\n1 want rw\nstuck").len(), 1);
        let [finding] = &found("1 begin once\n1 want-once once\nstuck")[..] else { panic!("one finding") };
        assert!(finding.message.contains("which it runs itself"), "{}", finding.message);
    }

    #[test]
    fn a_reader_behind_a_writer_behind_its_own_read() {
        let [finding] = &found("1 read rw\n2 want rw\n1 want-read rw\nstuck")[..] else {
            panic!("one finding")
        };
        let mut lines = places(finding);
        lines.sort_unstable();
        assert_eq!(lines, [("acquired_first", 1), ("wanted", 2), ("wanted", 3)]);
    }

    #[test]
    fn waiting_on_a_condvar_while_holding_what_the_notifier_needs() {
        let script = "1 lock m1\n2 start\n2 want m1\n1 lock m2\n1 wait cv m2\n1 unlock m2\nstuck";
        let [finding] = &found(script)[..] else { panic!("one finding") };
        assert_eq!(places(finding), [("acquired_first", 1), ("waits", 5), ("wanted", 3)]);
        assert_eq!(
            finding.message,
            "deadlock: `main` waits for a notify of `condvar 3` while it holds `mutex 1`, which `t2` needs first"
        );
    }

    #[test]
    fn both_sides_receive_first() {
        let script = "2 want-message ch1\n3 want-message ch2\n1 want-join 2\nstuck";
        let [finding] = &found(script)[..] else { panic!("one finding") };
        assert_eq!(places(finding), [("waits", 1), ("waits", 2)]);
    }

    #[test]
    fn waits_that_end_by_themselves_or_ended_are_none() {
        assert!(found("1 lock m1\n2 lock m2\n1 want m2\n2 timed-want m1\n1 exit").is_empty());
        assert!(found("1 lock m1\n2 want m1\n1 unlock m1\n2 lock m1\n1 exit").is_empty());
        assert!(found("1 want-message ch\n1 exit").is_empty());
    }

    #[test]
    fn a_recording_that_stopped_early_proves_nothing() {
        let mut execution = crate::model::script::execution("1 lock m1\n2 lock m2\n1 want m2\n2 want m1");
        execution.processes[0].definitions.state = snag_trace::layout::state::LIMIT;
        let names = crate::model::names::PlainNames(&execution);
        assert!(crate::detectors::Detector::detect(&Deadlock, &execution, &names).is_empty());
    }
}
