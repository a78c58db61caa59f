//! Why processes that snag ended together could not go on: what each thread waited for in the kernel, and
//! which of the processes could have ended that.
//!
//! Invariant: what is told is what the kernel said while all of them slept ([`crate::run::waits`]); the
//! recording only adds threads, places and objects. One process alone whose waits are all for locks and the
//! like is left to [`crate::model::standstill`].
//!
//! Misses: processes that were not recorded have no threads and no places.

use std::collections::BTreeMap;

use crate::model::execution::{Execution, ThreadId};
use crate::model::wait_for::Blocked;
use crate::run::meta::{Awaited, KernelWait};

/// A thread that waits for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FamilyWait {
    /// Index of its process.
    pub process: u32,
    /// The thread; none if it was not recorded.
    pub thread: ThreadId,
    /// What it waits for, as the recording says, if it does.
    pub blocked: Option<Blocked>,
    /// What it waits for, as the kernel says.
    pub wait: KernelWait,
    /// Indices of the recorded processes that could end it; its own may be one.
    pub wakers: Vec<u32>,
    /// Whether it waits for these processes as such, and not for one of many who could notify it.
    pub is_owed: bool,
    /// Whether they have ended, and took what is waited for with them.
    pub is_lost: bool,
}

/// Processes that stood still together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FamilyStandstill {
    /// All their waits, in order of processes.
    pub waits: Vec<FamilyWait>,
    /// A shortest circle of waits, by index, each for the process of the next one; empty if there is none.
    pub ring: Vec<usize>,
}

impl FamilyStandstill {
    /// Whether the processes of the circle owe each other what they wait for.
    #[must_use]
    pub fn is_deadlock(&self) -> bool {
        !self.ring.is_empty() && self.ring.iter().all(|&at| self.waits[at].is_owed)
    }
}

/// All standstills of several processes, or of one that waits for more than locks.
#[must_use]
pub fn family_standstills(execution: &Execution) -> Vec<FamilyStandstill> {
    let mut groups: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
    for (process, known) in (0_u32..).zip(&execution.processes) {
        if let Some(seq) = known.stuck.filter(|_| !known.waits.is_empty()) {
            groups.entry(seq).or_default().push(process);
        }
    }
    groups.values().filter_map(|group| family(execution, group)).collect()
}

/// Whether this process is one of several that stood still together, or waits for more than locks.
#[must_use]
pub fn is_of_family(execution: &Execution, process: u32) -> bool {
    let known = &execution.processes[process as usize];
    known.waits.iter().any(|wait| {
        wait.awaited != Awaited::Futex || wait.wakers.iter().any(|waker| waker.pid != known.definitions.pid)
    })
}

fn family(execution: &Execution, group: &[u32]) -> Option<FamilyStandstill> {
    if !group.iter().any(|&process| is_of_family(execution, process)) {
        return None;
    }
    let mut waits: Vec<FamilyWait> = Vec::new();
    for &process in group {
        let known = &execution.processes[process as usize].waits;
        waits.extend(known.iter().map(|wait| family_wait(execution, process, wait, group)));
    }
    let ring = ring(&waits);
    Some(FamilyStandstill { waits, ring })
}

fn family_wait(execution: &Execution, process: u32, wait: &KernelWait, group: &[u32]) -> FamilyWait {
    let thread = thread_of(execution, process, wait.thread);
    let pid = |process: u32| execution.processes[process as usize].definitions.pid;
    let could = |process: &u32| wait.wakers.iter().any(|waker| waker.pid == pid(*process));
    let mut wakers: Vec<u32> = group.iter().copied().filter(could).collect();
    let mut is_owed = wait.awaited != Awaited::Futex;
    if !is_owed {
        // Whoever holds the lock that is waited for.
        let owners = execution.end().waits_for(thread.0);
        let holders: Vec<u32> =
            owners.iter().map(|&owner| execution.thread(ThreadId(owner)).process).collect();
        if !holders.is_empty() {
            (wakers, is_owed) = (holders, true);
        }
    }
    let blocked = execution.end().blocked(thread.0).copied();
    let is_lost = is_owed && !wakers.iter().any(|waker| group.contains(waker));
    FamilyWait { process, thread, blocked, wait: wait.clone(), wakers, is_owed, is_lost }
}

/// The recorded thread that the operating system gave this number last.
fn thread_of(execution: &Execution, process: u32, os_thread: u32) -> ThreadId {
    let definitions = &execution.processes[process as usize].definitions;
    let number = definitions.threads.iter().rfind(|(_, info)| info.os_thread == os_thread);
    let Some((&number, _)) = number else { return ThreadId::default() };
    let is_it = |thread: &ThreadId| {
        let known = execution.thread(*thread);
        (known.process, known.number) == (process, number)
    };
    execution.thread_ids().find(is_it).unwrap_or_default()
}

/// A shortest circle over at least two processes, begun at the first of them.
fn ring(waits: &[FamilyWait]) -> Vec<usize> {
    let from = |process: u32| (0..waits.len()).filter(move |&at| waits[at].process == process);
    let mut shortest: Vec<usize> = Vec::new();
    for start in 0..waits.len() {
        let mut ways: Vec<Vec<usize>> = vec![vec![start]];
        let mut seen = vec![waits[start].process];
        while let Some(way) = (!ways.is_empty()).then(|| ways.remove(0)) {
            let last = &waits[way[way.len() - 1]];
            if way.len() > 1 && last.wakers.contains(&waits[start].process) {
                if shortest.is_empty() || way.len() < shortest.len() {
                    shortest = way;
                }
                break;
            }
            for &next in last.wakers.iter().filter(|&&next| next != last.process) {
                if !seen.contains(&next) {
                    seen.push(next);
                    ways.extend(from(next).map(|at| [&way[..], &[at]].concat()));
                }
            }
        }
    }
    shortest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::meta::{RunMeta, StuckProcess, Waker};
    use snag_trace::{Event, Flags, Kind, Mode, ProcessTrace, ThreadInfo};

    fn process(pid: u32) -> ProcessTrace {
        let thread = ThreadInfo { os_thread: pid, ..ThreadInfo::default() };
        let start = Event {
            seq: u64::from(pid),
            thread: 1,
            kind: Kind::ThreadName,
            mode: Mode::None,
            flags: Flags::NONE,
            object: 0,
            site: 0,
            arg: 0,
        };
        ProcessTrace {
            pid,
            first_seq: u64::from(pid),
            threads: [(1, thread)].into(),
            events: vec![start],
            ..ProcessTrace::default()
        }
    }

    fn stuck(pid: u32, awaited: Awaited, wakers: &[u32]) -> StuckProcess {
        let wakers = wakers.iter().map(|&pid| Waker { pid, descriptor: None }).collect();
        let waits = vec![KernelWait { thread: pid, awaited, descriptor: None, wakers }];
        StuckProcess { pid, seq: 99, waits }
    }

    fn found(stuck: Vec<StuckProcess>) -> Vec<FamilyStandstill> {
        let traces = stuck.iter().map(|stuck| process(stuck.pid)).collect();
        let meta = RunMeta { stuck, ..RunMeta::default() };
        family_standstills(&Execution::load(traces, &meta))
    }

    #[test]
    fn a_parent_that_waits_for_a_child_that_waits_for_room_is_a_deadlock() {
        let found = found(vec![stuck(7, Awaited::Child, &[8]), stuck(8, Awaited::Output, &[7])]);
        assert_eq!((found.len(), &found[0].ring[..]), (1, &[0, 1][..]));
        assert!(found[0].is_deadlock());
        assert!(found[0].waits.iter().all(|wait| !wait.thread.is_none()));
    }

    #[test]
    fn one_that_withholds_its_own_end_is_a_standstill_without_a_circle() {
        let found = found(vec![stuck(8, Awaited::Input, &[8])]);
        assert!(found.len() == 1 && found[0].ring.is_empty() && !found[0].is_deadlock());
    }

    #[test]
    fn waits_for_a_notify_of_each_other_are_no_deadlock() {
        let found = found(vec![stuck(7, Awaited::Futex, &[7, 8]), stuck(8, Awaited::Futex, &[7, 8])]);
        assert!(found.len() == 1 && !found[0].is_deadlock());
    }

    #[test]
    fn one_process_that_waits_for_its_own_locks_is_another_story() {
        assert!(found(vec![stuck(7, Awaited::Futex, &[7])]).is_empty());
    }
}
