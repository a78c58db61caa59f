//! Why a process that snag ended could not go on.
//!
//! Invariants:
//! * Only processes that were found stuck are looked at, and only if their traces are whole: then
//!   every thread waits for ever, and the question is what for.
//! * One cause per process; what else waits is its consequence. What is more certain comes first: who
//!   owns a lock is known, who would have sent a message or notified a condvar is inferred.
//!
//! Source: Holt, "Some Deadlock Properties of Computer Systems", Computing Surveys 1972: locks and joins
//! are reusable resources with owners, messages and wake-ups consumable ones with producers. Producers
//! are inferred from what threads did before.
//!
//! Misses: producers that never produced anything are unknown.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;
use snag_trace::{Kind, Mode, ObjectKind};

use crate::model::execution::{Execution, ObjectId, ThreadId};
use crate::model::family_standstill::is_of_family;
use crate::model::modes::is_lock;
use crate::model::wait_for::{Blocked, WaitState};

/// A wait on a condvar, and the notify that came before it and was meant for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostWakeup {
    /// Who waits.
    pub waiter: ThreadId,
    /// Index of the wait's begin.
    pub wait: u32,
    /// Index of the notify.
    pub notify: u32,
}

/// Why nobody goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Threads wait for each other's locks or ends: [`WaitState::deadlocked`].
    Owners,
    /// Notifies came too early.
    LostWakeups(Vec<LostWakeup>),
    /// This thread waits for others to do something while all others wait, directly or not, for
    /// locks that it holds.
    Holding(ThreadId),
    /// These threads wait for messages (or room) that only one of them could send (or make).
    Messages(Vec<ThreadId>),
    /// Nobody is known who could end these waits: the ones that the rest depends on.
    Nobody(Vec<ThreadId>),
}

/// A process that could not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standstill {
    /// Its index.
    pub process: u32,
    /// Every thread that waits, and for what.
    pub waits: Vec<(ThreadId, Blocked)>,
    /// Channels with messages that nobody waits for, and how many they have.
    pub unread: BTreeMap<ObjectId, u64>,
    /// Why.
    pub cause: Cause,
}

/// Every process of the run that snag ended because it could not go on, whatever the others did.
#[must_use]
pub fn standstills(execution: &Execution) -> Vec<Standstill> {
    let processes = (0_u32..).zip(&execution.processes);
    let stuck = processes.filter(|(_, process)| process.stuck.is_some() && process.is_whole());
    let alone = stuck.filter(|(process, _)| !is_of_family(execution, *process));
    alone.map(|(process, _)| standstill(execution, process)).collect()
}

fn standstill(execution: &Execution, process: u32) -> Standstill {
    let end = execution.end();
    let of_process = |thread: &ThreadId| execution.thread(*thread).process == process;
    let live = end.live_threads().into_iter().map(ThreadId).filter(of_process);
    let waits: Vec<(ThreadId, Blocked)> =
        live.filter_map(|thread| Some((thread, *end.blocked(thread.0)?))).collect();
    let mut look = Look { execution, end, waits, traffic: Traffic::of(execution, process) };
    look.traffic.unread.retain(|channel, _| {
        !look.waits.iter().any(|(_, wait)| wait.mode == Mode::Receive && wait.object == channel.0)
    });
    let cause = look.cause();
    Standstill { process, cause, unread: look.traffic.unread, waits: look.waits }
}

/// Who sent into and received from each channel.
#[derive(Default)]
struct Traffic {
    senders: BTreeMap<ObjectId, BTreeSet<ThreadId>>,
    receivers: BTreeMap<ObjectId, BTreeSet<ThreadId>>,
    unread: BTreeMap<ObjectId, u64>,
}

impl Traffic {
    fn of(execution: &Execution, process: u32) -> Traffic {
        let mut traffic = Traffic::default();
        for event in &execution.events {
            let channel = event.object;
            if execution.thread(event.thread).process != process {
                continue;
            }
            match event.kind {
                Kind::Send => {
                    traffic.senders.entry(channel).or_default().insert(event.thread);
                    *traffic.unread.entry(channel).or_default() += 1;
                }
                Kind::Receive => {
                    traffic.receivers.entry(channel).or_default().insert(event.thread);
                    let unread = traffic.unread.entry(channel).or_default();
                    *unread = unread.saturating_sub(1);
                }
                Kind::ReceiverEnd => {
                    traffic.unread.remove(&channel);
                }
                _ => {}
            }
        }
        traffic.unread.retain(|_, count| *count > 0);
        traffic
    }
}

struct Look<'a> {
    execution: &'a Execution,
    end: &'a WaitState,
    waits: Vec<(ThreadId, Blocked)>,
    traffic: Traffic,
}

impl Look<'_> {
    fn cause(&self) -> Cause {
        let stuck = |thread: &u32| self.waits.iter().any(|(waiting, _)| waiting.0 == *thread);
        if self.end.deadlocked().iter().any(|group| group.iter().any(stuck)) {
            return Cause::Owners;
        }
        let roots = self.roots();
        let lost: Vec<LostWakeup> =
            roots.iter().filter_map(|&(thread, wait)| lost_wakeup(self.execution, thread, wait)).collect();
        if !lost.is_empty() {
            return Cause::LostWakeups(lost);
        }
        if let Some(&(waiter, _)) = roots.iter().find(|(thread, wait)| self.holds_up_all(*thread, *wait)) {
            return Cause::Holding(waiter);
        }
        if let Some(threads) = self.message_circle(&roots) {
            return Cause::Messages(threads);
        }
        Cause::Nobody(self.first_roots(&roots))
    }

    fn owners(&self, thread: ThreadId) -> Vec<ThreadId> {
        let waits = |owner: &ThreadId| self.waits.iter().any(|(waiting, _)| waiting == owner);
        self.end.waits_for(thread.0).into_iter().map(ThreadId).filter(waits).collect()
    }

    /// Waits that no live owner is known to end.
    fn roots(&self) -> Vec<(ThreadId, Blocked)> {
        self.waits.iter().copied().filter(|(thread, _)| self.owners(*thread).is_empty()).collect()
    }

    /// Threads that wait, directly or not, for what `thread` owns.
    fn behind(&self, thread: ThreadId) -> BTreeSet<ThreadId> {
        let mut behind = BTreeSet::new();
        loop {
            let before = behind.len();
            for (waiting, _) in &self.waits {
                let owners = self.owners(*waiting);
                if owners.iter().any(|owner| *owner == thread || behind.contains(owner)) {
                    behind.insert(*waiting);
                }
            }
            if behind.len() == before {
                return behind;
            }
        }
    }

    fn holds_up_all(&self, thread: ThreadId, wait: Blocked) -> bool {
        let behind = self.behind(thread);
        let on_lock = self
            .waits
            .iter()
            .any(|(waiting, other)| is_lock(other.mode) && self.owners(*waiting).contains(&thread));
        let object = ObjectId(wait.object);
        let partners = match wait.mode {
            Mode::Receive => self.traffic.senders.get(&object),
            Mode::Send => self.traffic.receivers.get(&object),
            _ => Some(&behind),
        };
        let reaches =
            partners.is_some_and(|partners| partners.iter().any(|partner| behind.contains(partner)));
        on_lock && reaches && behind.len() + 1 == self.waits.len() && !is_lock(wait.mode)
    }

    /// Threads that wait for each other's messages, if nothing else is waited for and no work is
    /// left unread.
    fn message_circle(&self, roots: &[(ThreadId, Blocked)]) -> Option<Vec<ThreadId>> {
        let of_messages = |wait: &Blocked| matches!(wait.mode, Mode::Receive | Mode::Send);
        if !self.traffic.unread.is_empty() && roots.iter().any(|(_, wait)| wait.mode == Mode::Receive)
            || !roots.iter().all(|(_, wait)| of_messages(wait))
        {
            return None;
        }
        let mut graph: DiGraphMap<ThreadId, ()> = DiGraphMap::new();
        for &(thread, wait) in &self.waits {
            for partner in self.owners(thread) {
                graph.add_edge(thread, partner, ());
            }
            if !of_messages(&wait) {
                continue;
            }
            let known =
                if wait.mode == Mode::Receive { &self.traffic.senders } else { &self.traffic.receivers };
            let lives = |partner: &ThreadId| self.waits.iter().any(|(waiting, _)| waiting == partner);
            let known: Vec<ThreadId> =
                known.get(&ObjectId(wait.object)).into_iter().flatten().copied().filter(lives).collect();
            let others = roots.iter().map(|(other, _)| *other).filter(|other| *other != thread);
            let partners = if known.is_empty() { others.collect() } else { known };
            for partner in partners {
                graph.add_edge(thread, partner, ());
            }
        }
        let message = |thread: &ThreadId| roots.iter().any(|(root, _)| root == thread);
        let mut circles = tarjan_scc(&graph);
        circles.retain(|circle| circle.len() > 1 && circle.iter().all(message));
        let mut circle = circles.into_iter().min_by_key(|circle| circle.iter().min().copied())?;
        circle.sort_unstable();
        Some(circle)
    }

    /// The roots that the main thread waits for, or in its absence threads that nobody spawned (a
    /// harness's tests); all roots if it waits for none.
    fn first_roots(&self, roots: &[(ThreadId, Blocked)]) -> Vec<ThreadId> {
        let spawned = |thread: ThreadId| !self.execution.thread(thread).parent.is_none();
        let is_main = |thread: ThreadId| self.execution.thread(thread).number == 1;
        let main = self.waits.iter().find(|(thread, _)| is_main(*thread)).map(|(thread, _)| *thread);
        let mut reached: BTreeSet<ThreadId> = match main {
            Some(main) => BTreeSet::from([main]),
            None => self.waits.iter().map(|(thread, _)| *thread).filter(|thread| !spawned(*thread)).collect(),
        };
        loop {
            let owners: BTreeSet<ThreadId> = reached.iter().flat_map(|&thread| self.owners(thread)).collect();
            let before = reached.len();
            reached.extend(owners);
            if reached.len() == before {
                break;
            }
        }
        let first: Vec<ThreadId> =
            roots.iter().map(|(thread, _)| *thread).filter(|thread| reached.contains(thread)).collect();
        if first.is_empty() { roots.iter().map(|(thread, _)| *thread).collect() } else { first }
    }
}

/// The notify that this wait without end was meant for, if it came before the wait began.
///
/// It did if it found no waiter, came after this thread's last wait on the condvar, and this thread
/// did not look at what the lock protects since (or the notifier changed nothing there): a thread
/// that looked, and waits all the same, waits for something else.
fn lost_wakeup(execution: &Execution, waiter: ThreadId, wait: Blocked) -> Option<LostWakeup> {
    let lock = ObjectId(u32::try_from(wait.arg).unwrap_or(0));
    let guarded = matches!(execution.kind(lock), Some(ObjectKind::Mutex | ObjectKind::LockApiMutex));
    if wait.mode != Mode::Wait || !guarded {
        return None;
    }
    let condvar = ObjectId(wait.object);
    let wait = execution.index_of(wait.seq)?;
    let own = &execution.thread(waiter).events;
    let before = &own[..own.partition_point(|&event| event < wait)];
    let event = |index: u32| &execution.events[index as usize];
    let last_wait = before
        .iter()
        .rfind(|&&own| event(own).kind == Kind::WaitEnd && event(own).object == condvar)
        .copied();
    let locked = before
        .iter()
        .rfind(|&&own| event(own).kind == Kind::Acquire && event(own).object == lock)
        .copied()?;
    // Waiting again without unlocking in between is a loop that checks.
    let between = |last: u32, own: u32| own > last && own < locked && event(own).kind != Kind::Request;
    if last_wait.is_some_and(|last| !before.iter().any(|&own| between(last, own))) {
        return None;
    }
    let notify = (last_wait.unwrap_or(0)..wait).rev().find(|&other| {
        let other = event(other);
        matches!(other.kind, Kind::NotifyOne | Kind::NotifyAll)
            && other.object == condvar
            && other.thread != waiter
            && other.arg == 0
    })?;
    let touches =
        |kinds: &[Kind], index: u32| kinds.contains(&event(index).kind) && event(index).object == lock;
    let looked =
        before.iter().rfind(|&&own| own > locked && touches(&[Kind::Read, Kind::Write], own)).copied();
    let notifier = &execution.thread(event(notify).thread).events;
    let changed = notifier.iter().any(|&other| other < notify && touches(&[Kind::Write], other));
    let saw_it = looked.is_some_and(|looked| changed || looked > notify);
    (!saw_it).then_some(LostWakeup { waiter, wait, notify })
}

#[cfg(test)]
mod tests {
    use super::{Cause, standstills};
    use crate::model::script::{at, execution};

    fn cause(script: &str) -> Cause {
        let found = standstills(&execution(script));
        assert_eq!(found.len(), 1);
        found[0].cause.clone()
    }

    fn threads(threads: &[u32]) -> Vec<super::ThreadId> {
        threads.iter().copied().map(super::ThreadId).collect()
    }

    #[test]
    fn a_process_that_was_not_found_stuck_is_not_looked_at() {
        assert!(standstills(&execution("1 park")).is_empty());
    }

    #[test]
    fn known_owners_come_first() {
        assert_eq!(
            cause("1 lock m1\n2 lock m2\n1 want m2\n2 want m1\n3 want-message ch\nstuck"),
            Cause::Owners
        );
    }

    #[test]
    fn a_notify_before_a_wait_without_a_check_was_lost() {
        let script = "1 notify-all cv 0\n2 lock m\n2 wait cv m\n2 unlock m\n1 want-join 2\nstuck";
        let Cause::LostWakeups(lost) = cause(script) else { panic!("{:?}", cause(script)) };
        assert_eq!((lost[0].notify, lost[0].wait), (at(&execution(script), 1), at(&execution(script), 3)));
    }

    #[test]
    fn a_wait_of_one_who_looked_after_the_change_is_for_something_else() {
        let script = "1 lock m\n1 set m\n1 unlock m\n1 notify cv 0\n2 lock m\n2 set m\n2 wait cv m\n\
                      2 unlock m\n1 want-join 2\nstuck";
        assert_eq!(cause(script), Cause::Nobody(threads(&[2])));
        let racing = "1 lock m\n1 set m\n1 unlock m\n2 lock m\n2 get m\n1 notify cv 0\n2 wait cv m\n\
                      2 unlock m\n1 want-join 2\nstuck";
        assert_eq!(cause(racing), Cause::Nobody(threads(&[2])));
    }

    #[test]
    fn a_look_before_an_unlocked_notify_was_too_early() {
        let script = "2 lock m\n2 get m\n1 notify cv 0\n2 wait cv m\n2 unlock m\n1 want-join 2\nstuck";
        assert!(matches!(cause(script), Cause::LostWakeups(_)));
    }

    #[test]
    fn a_loop_that_waits_again_has_checked() {
        let script = "2 lock m\n2 wait cv m\n2 unlock m\n1 notify cv 1\n2 woken cv 40\n1 notify cv 0\n2 want m\n2 lock m\n\
                      2 wait cv m\n2 unlock m\n1 want-join 2\nstuck";
        assert_eq!(cause(script), Cause::Nobody(threads(&[2])));
    }

    #[test]
    fn waiting_for_a_notify_while_all_others_want_ones_lock_is_a_circle() {
        let script = "1 lock m1\n1 spawn 2\n2 start\n2 want m1\n1 lock m2\n1 wait cv m2\n1 unlock m2\nstuck";
        assert_eq!(cause(script), Cause::Holding(threads(&[1])[0]));
        let joined = "2 lock m2\n2 wait cv m2\n2 unlock m2\n1 want-join 2\nstuck";
        assert_eq!(cause(joined), Cause::Nobody(threads(&[2])));
    }

    #[test]
    fn an_idle_worker_that_holds_its_queues_lock_is_not_the_cause() {
        let script = "1 send ch2 1\n2 lock m1\n2 want-message ch1\n3 want m1\n4 park\n1 want-join 4\nstuck";
        assert_eq!(cause(script), Cause::Nobody(threads(&[4])));
    }

    #[test]
    fn two_threads_that_both_receive_first_wait_for_each_other() {
        let script = "2 want-message ch1\n3 want-message ch2\n1 want-join 2\nstuck";
        assert_eq!(cause(script), Cause::Messages(threads(&[2, 3])));
    }

    #[test]
    fn a_sender_that_joins_its_receivers_is_not_a_circle_of_messages() {
        let script = "1 send ch1 1\n2 receive ch1 1\n2 want-message ch1\n1 want-join 2\nstuck";
        assert_eq!(cause(script), Cause::Nobody(threads(&[2])));
    }

    #[test]
    fn work_that_is_left_unread_is_not_a_circle_of_messages() {
        let script =
            "1 send ch1 1\n2 receive ch1 1\n2 send ch1 2\n2 want-message ch2\n1 want-message ch3\nstuck";
        assert_eq!(cause(script), Cause::Nobody(threads(&[1])));
        assert_eq!(standstills(&execution(script))[0].unread.values().sum::<u64>(), 1);
    }
}
