//! Waits that nobody can end any more, in a process that snag found stuck, and waits for a lock that
//! an ended thread took with it.
//!
//! One finding per root: what the rest of the process depends on, with everything else that waits as
//! its consequence. Where threads wait for each other it is a `deadlock`, where a notify came too early
//! a `lost_wakeup`, and this rule says nothing.
//!
//! Processes that snag ended together ([`crate::model::family_standstill`]) and that owe each other nothing in
//! a circle are told as a whole.
//!
//! Misses: waits outside of what is recorded, and waits with a time-out.

use std::collections::{BTreeMap, BTreeSet};

use snag_trace::{Kind, Mode, ObjectKind};

use crate::detectors::Detector;
use crate::detectors::evidence::{Case, family, process_name, waits_to};
use crate::finding::{Certainty, Finding};
use crate::model::execution::{Event, Execution, ObjectId, SiteId, ThreadId};
use crate::model::family_standstill::{FamilyStandstill, family_standstills};
use crate::model::forks::{Forks, waits_unseen};
use crate::model::modes::is_lock;
use crate::model::names::Names;
use crate::model::standstill::{Cause, Standstill, standstills};
use crate::model::wait_for::{Blocked, Hold};

/// The rule.
pub struct BlockedForever;

const ID: &str = "blocked_forever";

impl Detector for BlockedForever {
    fn id(&self) -> &'static str {
        ID
    }

    fn summary(&self) -> &'static str {
        "a thread waits for something that nobody can do any more"
    }

    fn detect(&self, execution: &Execution, names: &dyn Names) -> Vec<Finding> {
        let mut findings = Vec::new();
        let standstills = standstills(execution);
        for standstill in &standstills {
            if let Cause::Nobody(roots) = &standstill.cause
                && !hangs_since_fork(execution, standstill.process)
            {
                findings.extend(report_roots(execution, names, standstill, roots));
            }
        }
        let families = family_standstills(execution).into_iter();
        let open = families.filter(|family| !family.is_deadlock() && !is_known(execution, family));
        findings.extend(open.map(|standstill| family::report(execution, names, &standstill, ID)));
        findings.extend(unseen(execution, names));
        for (thread, wait) in behind_the_dead(execution) {
            let process = execution.thread(thread).process;
            if !standstills.iter().any(|standstill| standstill.process == process) {
                findings.push(report(execution, names, &[(thread, wait)], &[], &BTreeMap::new()));
            }
        }
        findings
    }
}

/// Processes that were found to wait for ever where nothing is recorded: inside of the standard library, of
/// libc, or of a lock of somebody's own. Of a forked child this is said by the rules of forks.
fn unseen(execution: &Execution, names: &dyn Names) -> Vec<Finding> {
    let forks = Forks::of(execution);
    let processes = (0_u32..).zip(&execution.processes).map(|(process, _)| process);
    let unseen = processes.filter(|&process| {
        waits_unseen(execution, process)
            && !forks.all.iter().any(|fork| fork.child == process && !forks.others_alive(fork).is_empty())
    });
    let report = |process: u32| {
        let main = execution.thread_ids().find(|thread| execution.thread(*thread).process == process);
        let case = Case::new(execution, names, &main.into_iter().collect::<Vec<_>>(), &[]);
        let message = format!(
            "all threads of {} wait for ever, for locks or the like that are not recorded",
            process_name(execution, process)
        );
        case.finding(
            ID,
            Certainty::Confirmed,
            message,
            "attach a debugger to see where: snag does not record it",
        )
    };
    unseen.map(report).collect()
}

/// Whether a circle of threads is what keeps these processes, which is a `deadlock`.
fn is_known(execution: &Execution, family: &FamilyStandstill) -> bool {
    let known: Vec<u32> = execution.end().deadlocked().into_iter().flatten().collect();
    family.waits.iter().any(|wait| known.contains(&wait.thread.0))
}

/// Whether the process waits for a lock that was held when it was forked, which is a rule of its own.
fn hangs_since_fork(execution: &Execution, process: u32) -> bool {
    let forks = Forks::of(execution);
    forks.all.iter().any(|fork| fork.child == process && forks.hang(fork).is_some())
}

/// Threads of processes that went on, each waiting for a std lock whose guard an ended thread never
/// dropped: nobody else can release it.
fn behind_the_dead(execution: &Execution) -> Vec<(ThreadId, Blocked)> {
    let end = execution.end();
    let waits = execution.thread_ids().filter_map(|thread| Some((thread, *end.blocked(thread.0)?)));
    let for_ever = |(thread, wait): &(ThreadId, Blocked)| {
        let is_std = matches!(
            execution.kind(ObjectId(wait.object)),
            Some(ObjectKind::Mutex | ObjectKind::RwLock | ObjectKind::ReentrantLock)
        );
        let owners = end.waits_for(thread.0);
        let whole = execution.processes[execution.thread(*thread).process as usize].is_whole();
        let dead = |owner: &u32| execution.thread(ThreadId(*owner)).ended;
        whole && is_std && is_lock(wait.mode) && !owners.is_empty() && owners.iter().all(dead)
    };
    waits.filter(for_ever).collect()
}

/// One finding per object (or place, for parks) that roots wait for.
fn report_roots(
    execution: &Execution,
    names: &dyn Names,
    standstill: &Standstill,
    roots: &[ThreadId],
) -> Vec<Finding> {
    let wait = |thread: &ThreadId| standstill.waits.iter().find(|(waiting, _)| waiting == thread).copied();
    let mut groups: BTreeMap<(u32, u32), Vec<(ThreadId, Blocked)>> = BTreeMap::new();
    for (thread, wait) in roots.iter().filter_map(wait) {
        let site = if wait.object == 0 { wait.site } else { 0 };
        groups.entry((wait.object, site)).or_default().push((thread, wait));
    }
    // Whoever waits for the same thing is as much of a root.
    for &(thread, wait) in &standstill.waits {
        let group = groups.get_mut(&(wait.object, 0)).filter(|_| wait.object != 0);
        if let Some(group) = group.filter(|group| !group.iter().any(|(known, _)| *known == thread)) {
            group.push((thread, wait));
        }
    }
    let only = groups.len() == 1;
    let report = |group: &Vec<(ThreadId, Blocked)>| {
        let is_other = |(thread, _): &&(ThreadId, Blocked)| !group.iter().any(|(known, _)| known == thread);
        let others: Vec<(ThreadId, Blocked)> =
            standstill.waits.iter().filter(is_other).filter(|_| only).copied().collect();
        report(execution, names, group, &others, &standstill.unread)
    };
    groups.values().map(report).collect()
}

fn report(
    execution: &Execution,
    names: &dyn Names,
    waits: &[(ThreadId, Blocked)],
    others: &[(ThreadId, Blocked)],
    unread: &BTreeMap<ObjectId, u64>,
) -> Finding {
    let threads: Vec<ThreadId> = waits.iter().map(|(thread, _)| *thread).collect();
    let wait = waits[0].1;
    let object = ObjectId(wait.object);
    let mut objects = vec![object];
    objects.extend(unread.keys());
    objects.extend(lock_of(wait));
    let mut case = Case::new(execution, names, &threads, &objects);
    for (thread, wait) in waits {
        let label = format!("{} {}", case.thread(*thread), waits_to(&case, wait));
        case.at("waits", *thread, SiteId(wait.site), label, &execution.end().held(thread.0));
    }
    add_history(&mut case, execution, object, wait.mode);
    if let Some(lock) = lock_of(wait) {
        add_changes(&mut case, execution, lock, &threads);
    }
    for (thread, wait) in others {
        let label = format!("meanwhile {} {}", case.thread(*thread), waits_to(&case, wait));
        case.at("waits_too", *thread, SiteId(wait.site), label, &execution.end().held(thread.0));
    }
    if wait.mode == Mode::Receive {
        for (queue, count) in unread {
            let messages = if *count == 1 { "1 message".to_owned() } else { format!("{count} messages") };
            case.note(format!(
                "{messages} of {} are left unread, and whoever reads it waits elsewhere: does the work that \
                 is waited for stand in line behind the waiting?",
                case.object(*queue)
            ));
        }
    }
    let workers = workers(execution, unread, waits.iter().chain(others));
    let message = match workers[..] {
        [] => message(&case, execution, &threads, wait),
        _ => waits_for_itself(&case, &workers, unread),
    };
    case.finding(ID, Certainty::Confirmed, message, help(wait.mode))
}

/// The waiting threads that read the channels in which messages are left, if none of the readers does
/// anything else.
fn workers<'a>(
    execution: &Execution,
    unread: &BTreeMap<ObjectId, u64>,
    waits: impl Iterator<Item = &'a (ThreadId, Blocked)>,
) -> Vec<ThreadId> {
    let reads = |event: &&Event| event.kind == Kind::Receive && unread.contains_key(&event.object);
    let readers: BTreeSet<ThreadId> =
        execution.events.iter().filter(reads).map(|event| event.thread).collect();
    let waiting: BTreeSet<ThreadId> =
        waits.filter(|(_, wait)| wait.mode == Mode::Receive).map(|(thread, _)| *thread).collect();
    if readers.is_subset(&waiting) { readers.into_iter().collect() } else { Vec::new() }
}

fn waits_for_itself(case: &Case<'_>, workers: &[ThreadId], unread: &BTreeMap<ObjectId, u64>) -> String {
    let queues: Vec<String> = unread.keys().map(|queue| case.object(*queue)).collect();
    let (who, queues) = (case.threads(workers), Case::list(&queues));
    match workers {
        [_] => format!("{who} waits for ever for work that waits in {queues}, which only it reads"),
        _ => format!("{who} wait for ever for work that waits in {queues}, which only they read"),
    }
}

fn message(case: &Case<'_>, execution: &Execution, threads: &[ThreadId], wait: Blocked) -> String {
    let who = case.threads(threads);
    let (wait_verb, are) = if threads.len() == 1 { ("waits", "is") } else { ("wait", "are") };
    let object = case.object(ObjectId(wait.object));
    match wait.mode {
        Mode::Wait => format!("{who} {wait_verb} for ever: nobody is left who could notify {object}"),
        Mode::Receive => format!("{who} {wait_verb} for ever: nobody is left who could send to {object}"),
        Mode::Send => format!("{who} {wait_verb} for ever: nobody is left who could receive from {object}"),
        Mode::Barrier => format!("{who} {wait_verb} for ever at {object}: too few threads come to it"),
        Mode::Park => format!("{who} {are} parked for ever: nobody is left who could unpark"),
        Mode::Permit => {
            format!("{who} {wait_verb} for ever: nobody is left who could give a permit of {object} back")
        }
        mode if is_lock(mode) => {
            let owners = execution.end().waits_for(threads[0].0);
            match owners.first() {
                Some(&owner) => format!(
                    "{who} {wait_verb} for ever: {} ended without releasing {object}",
                    case.thread(ThreadId(owner))
                ),
                None => format!("{who} {wait_verb} for ever for {object}"),
            }
        }
        _ => format!("{who} {wait_verb} for ever"),
    }
}

const fn help(mode: Mode) -> &'static str {
    match mode {
        Mode::Wait => "notify on every path that ends the wait's reason, errors and panics included",
        Mode::Receive => {
            "drop every sender that is not needed any more, and do not wait inside of a worker for work that \
             only a worker can do"
        }
        Mode::Send => "receive in another thread before the channel is full, or drop the receiver",
        Mode::Barrier => "make the barrier's number the number of threads that come to it, on every path",
        Mode::Park => "unpark the thread on every path, after what it waits for is done",
        Mode::Permit => "give the permit back on every path: let a guard's `Drop` do it",
        _ => "release the lock on every path, and do not leak its guard",
    }
}

/// What happened to the object before: who took its permits, who came, notified or sent last.
fn add_history(case: &mut Case<'_>, execution: &Execution, object: ObjectId, mode: Mode) {
    if object.is_none() {
        return;
    }
    match mode {
        Mode::Permit => {
            add_holds(case, execution, object, "took_permit", "takes a permit here and never gives it back")
        }
        Mode::Wait => {
            let notifies = [Kind::NotifyOne, Kind::NotifyAll];
            if !add_last(case, execution, object, &notifies, "notified", "was the last to notify it, here") {
                case.note(format!("nobody notifies {} in this run", case.object(object)));
            }
        }
        Mode::Receive => {
            add_last(case, execution, object, &[Kind::Send], "sent", "was the last to send, here");
            let senders = senders(execution, object);
            let (count, live) = if senders == 1 { ("1 sender", "lives") } else { ("senders", "live") };
            let count = if senders == 1 { count.to_owned() } else { format!("{senders} {count}") };
            case.note(format!("{count} of {} still {live}", case.object(object)));
        }
        Mode::Send => {
            add_last(case, execution, object, &[Kind::Receive], "received", "was the last to receive, here");
        }
        mode if is_lock(mode) => add_holds(case, execution, object, "acquired_first", "acquires it here"),
        _ => {}
    }
}

/// The lock under which a condvar's waiter looks at what it waits for.
fn lock_of(wait: Blocked) -> Option<ObjectId> {
    let lock = ObjectId(u32::try_from(wait.arg).unwrap_or(0));
    (wait.mode == Mode::Wait && !lock.is_none()).then_some(lock)
}

/// At most so many threads are named that changed what is waited for.
const MOST_CHANGES: usize = 3;

/// Who changed last what the lock protects: took the permits of a hand-made semaphore, say.
fn add_changes(case: &mut Case<'_>, execution: &Execution, lock: ObjectId, waiting: &[ThreadId]) {
    let mut last: Vec<&Event> = Vec::new();
    for event in execution.events.iter().rev() {
        let counts = event.object == lock && event.kind == Kind::Write && !waiting.contains(&event.thread);
        if counts && !last.iter().any(|known| known.thread == event.thread) {
            last.push(event);
        }
        if last.len() == MOST_CHANGES {
            break;
        }
    }
    for (age, event) in last.iter().enumerate().rev() {
        let (thread, lock) = (case.thread(event.thread), case.object(lock));
        let label = match age {
            0 => format!("{thread} is the last to change what {lock} protects, here"),
            _ => format!("{thread} changes what {lock} protects here"),
        };
        case.at("changed", event.thread, event.site, label, &[]);
    }
}

fn add_holds(case: &mut Case<'_>, execution: &Execution, object: ObjectId, role: &str, does: &str) {
    let holds: Vec<(u32, Hold)> = execution.end().holders(object.0);
    for (thread, hold) in holds {
        let thread = ThreadId(thread);
        let label = format!("{} {does}", case.thread(thread));
        case.at(role, thread, SiteId(hold.site), label, &[]);
    }
}

/// Adds the last event of these kinds; says whether there is one.
fn add_last(
    case: &mut Case<'_>,
    execution: &Execution,
    object: ObjectId,
    kinds: &[Kind],
    role: &str,
    does: &str,
) -> bool {
    let is_it = |event: &&Event| event.object == object && kinds.contains(&event.kind);
    let Some(last) = execution.events.iter().rfind(is_it) else { return false };
    let label = format!("{} {does}", case.thread(last.thread));
    case.at(role, last.thread, last.site, label, &[]);
    true
}

/// How many sending handles of a channel were left.
fn senders(execution: &Execution, channel: ObjectId) -> u64 {
    let changes =
        |event: &&Event| event.object == channel && matches!(event.kind, Kind::SenderNew | Kind::SenderEnd);
    execution.events.iter().rfind(changes).map_or(1, |event| event.arg)
}

#[cfg(test)]
mod tests {
    use super::BlockedForever;
    use crate::detectors::find;
    use crate::finding::{Certainty, Finding};

    fn found(script: &str) -> Vec<Finding> {
        find(&BlockedForever, script)
    }

    fn places(finding: &Finding) -> Vec<(&str, u32)> {
        finding.locations.iter().map(|location| (location.role.as_str(), location.place.line)).collect()
    }

    #[test]
    fn an_event_that_nobody_sets_is_one_finding_for_all_who_wait() {
        let script = "2 lock m\n2 get m\n2 wait cv m\n2 unlock m\n3 lock m\n3 get m\n3 wait cv m\n3 unlock m\n\
                      1 want-join 2\nstuck";
        let [finding] = &found(script)[..] else { panic!("one finding") };
        assert_eq!(finding.certainty, Certainty::Confirmed);
        assert_eq!(
            finding.message,
            "`t2` and `t3` wait for ever: nobody is left who could notify `condvar 2`"
        );
        assert_eq!(places(finding), [("waits", 3), ("waits", 7), ("waits_too", 9)]);
        assert_eq!(finding.notes, ["nobody notifies `condvar 2` in this run"]);
    }

    #[test]
    fn leaked_permits_are_reported_with_who_took_them() {
        let script = "2 permit sem\n3 permit sem\n3 give sem\n4 permit sem\n4 end\n5 want-permit sem\n\
                      1 want-join 5\nstuck";
        let [finding] = &found(script)[..] else { panic!("one finding") };
        assert_eq!(places(finding), [("waits", 6), ("took_permit", 1), ("took_permit", 4), ("waits_too", 7)]);
    }

    #[test]
    fn whoever_took_the_last_of_what_a_condvar_waits_for_is_named() {
        let take =
            |thread: u32| format!("{thread} lock m\n{thread} set m\n{thread} unlock m\n{thread} end\n");
        let script = format!(
            "{}{}{}4 lock m\n4 get m\n4 wait cv m\n4 unlock m\n1 want-join 4\nstuck",
            take(5),
            take(2),
            take(3)
        );
        let [finding] = &found(&script)[..] else { panic!("one finding") };
        let changed = [("changed", 2), ("changed", 6), ("changed", 10)];
        assert_eq!(places(finding), [&[("waits", 15)], &changed[..], &[("waits_too", 17)]].concat());
        assert_eq!(finding.locations[3].label, "`t3` is the last to change what `mutex 1` protects, here");
    }

    #[test]
    fn a_barrier_a_park_and_a_full_channel_are_named() {
        for (script, word) in [
            ("2 arrive bar 0\n2 want-barrier bar 0\n1 want-join 2\nstuck", "too few threads"),
            ("2 park\n1 want-join 2\nstuck", "parked for ever"),
            ("1 send ch 1\n1 want-room ch\nstuck", "could receive from"),
            ("1 want-message ch\nstuck", "could send to"),
        ] {
            let [finding] = &found(script)[..] else { panic!("one finding in {script}") };
            assert!(finding.message.contains(word), "{}", finding.message);
        }
    }

    #[test]
    fn a_pool_that_waits_for_itself_names_its_unread_work_and_every_worker() {
        let script =
            "1 send ch1 1\n2 receive ch1 1\n2 send ch1 2\n2 want-message ch2\n1 want-message ch3\nstuck";
        let [finding] = &found(script)[..] else { panic!("one finding") };
        assert!(finding.notes.iter().any(|note| note.contains("left unread")), "{:?}", finding.notes);
        assert!(places(finding).contains(&("waits_too", 4)));
        assert_eq!(
            finding.message,
            "`t2` waits for ever for work that waits in `channel 1`, which only it reads"
        );
    }

    #[test]
    fn a_lock_whose_owner_ended_is_waited_for_in_vain_even_if_the_process_goes_on() {
        let [finding] = &found("2 lock m\n2 end\n3 want m\n1 exit")[..] else { panic!("one finding") };
        assert_eq!(finding.message, "`t3` waits for ever: `t2` ended without releasing `mutex 1`");
        assert_eq!(places(finding), [("waits", 3), ("acquired_first", 1)]);
    }

    #[test]
    fn what_other_rules_say_and_threads_that_idle_at_exit_are_not_repeated() {
        for script in [
            "1 lock m1\n2 lock m2\n1 want m2\n2 want m1\nstuck",
            "1 notify-all cv 0\n2 lock m\n2 wait cv m\n2 unlock m\n1 want-join 2\nstuck",
            "2 want-message ch1\n3 want-message ch2\n1 want-join 2\nstuck",
            "2 want-message ch1\n1 exit",
            "2 park\n1 exit",
        ] {
            assert!(found(script).is_empty(), "{script}");
        }
    }
}
