//! The watcher: ends processes in which no thread can ever run again.
//!
//! Invariant: it ends processes only if nothing can wake them. A look asks the kernel for what threads do,
//! which costs next to nothing; only processes whose threads have all slept since an earlier look, without a
//! single context switch, are judged. Some of them are stuck if
//! * each thread of each waits, without a limit in time, for something that only they could do
//!   ([`crate::run::waits`], [`crate::run::closed`]); in a libtest harness the main thread may instead sleep
//!   in a futex: it waits for the tests;
//! * they handle no signals, so that no handler can give what is waited for.
//!
//! They are ended together, and as few as there can be: a process that merely waits for them goes on.
//! Whoever started a process may count on it to hang (a test of a deadlock does): it is ended only
//! if each recorded process above it waits without a limit in time as well.
//!
//! Misses: processes of which a thread sleeps elsewhere (for a socket, in a timed wait) are left to run; what
//! is deadlocked in them is reported when they end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use snag_trace::layout::{CLOCK_FILE, TRACE_EXTENSION};

use crate::run::closed::closed_groups;
use crate::run::folder::clock_now;
use crate::run::kernel::{self, KernelThread, ProcessHandle};
use crate::run::load::Load;
use crate::run::meta::{Busiest, KernelWait, StuckProcess};
use crate::run::waits::Everyone;

/// Threads must have slept for so long.
const QUIET: Duration = Duration::from_millis(300);
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);
/// Who could wake a process is asked anew after so long, if it sleeps on: others may have closed what
/// they had open.
const STALE: Duration = Duration::from_secs(2);
/// What is killed is gone after so long.
const DYING: Duration = Duration::from_secs(5);
/// So many processes above one are looked at.
const DEEPEST: usize = 64;

/// Watches all processes of a run.
#[derive(Debug)]
pub struct Watcher {
    folder: PathBuf,
    test_harness: bool,
    pause: Duration,
    clock: Option<u64>,
    processes: BTreeMap<u32, Process>,
    /// Processes that are not recorded, and that recorded ones wait for.
    others: BTreeMap<u32, Process>,
    load: Load,
    ended: Vec<StuckProcess>,
}

/// What a watcher has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// Processes that were ended, in order.
    pub stuck: Vec<StuckProcess>,
    /// When far too many threads wanted to run.
    pub busiest: Option<Busiest>,
}

/// The newest image of a process.
#[derive(Debug)]
struct Process {
    pid: u32,
    file: PathBuf,
    /// When its threads were first seen as they are now.
    since: Instant,
    threads: Vec<KernelThread>,
    /// What it waits for in the kernel as it is now, and when that was looked into.
    waits: Option<(Instant, Option<Vec<KernelWait>>)>,
}

impl Watcher {
    /// A watcher of the run in this folder.
    #[must_use]
    pub fn new(folder: PathBuf, test_harness: bool) -> Watcher {
        Watcher {
            folder,
            test_harness,
            pause: SHORTEST_PAUSE,
            clock: None,
            processes: BTreeMap::new(),
            others: BTreeMap::new(),
            load: Load::default(),
            ended: Vec::new(),
        }
    }

    /// How long to wait before the next look: longer and longer.
    pub fn pause(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 5 / 4).min(LONGEST_PAUSE);
        pause
    }

    /// What it has seen.
    #[must_use]
    pub fn watched(self) -> Watched {
        Watched { stuck: self.ended, busiest: self.load.busiest() }
    }

    /// Looks at every process, and ends those that are stuck.
    pub fn look(&mut self) {
        self.find_processes();
        self.load.sample(self.processes.keys().copied());
        if self.only_process_runs() {
            return;
        }
        self.processes.retain(|_, process| process.refresh());
        self.end_groups();
    }

    /// Ends processes that wait for each other.
    fn end_groups(&mut self) {
        self.others.retain(|_, process| process.refresh());
        let groups = closed_groups(&self.wakers()).into_iter();
        let recorded = |group: &Vec<u32>| group.iter().any(|pid| self.processes.contains_key(pid));
        let groups: Vec<_> = groups.filter(recorded).collect();
        for group in groups {
            let everyone = Everyone::default();
            for pid in &group {
                let process = self.processes.get_mut(pid).or_else(|| self.others.get_mut(pid));
                process.into_iter().for_each(|process| process.look_into(self.test_harness, &everyone));
            }
            let anew: BTreeMap<_, _> =
                self.wakers().into_iter().filter(|(pid, _)| group.contains(pid)).collect();
            if closed_groups(&anew) == [group.clone()] && group.iter().all(|pid| self.is_due(*pid, &group)) {
                self.end_group(&group);
            }
        }
    }

    /// Who could wake each sleeping process. Whoever that is, recorded or not, is watched from now on.
    fn wakers(&mut self) -> BTreeMap<u32, BTreeSet<u32>> {
        let everyone = Everyone::default();
        let harness = self.test_harness;
        let mut wakers = BTreeMap::new();
        for process in self.processes.values_mut().chain(self.others.values_mut()) {
            if process.is_quiet() && process.waits.as_ref().is_none_or(|(at, _)| at.elapsed() > STALE) {
                process.look_into(harness, &everyone);
            }
            if let Some(waits) = process.waits().filter(|_| process.is_quiet()) {
                let all = waits.iter().flat_map(|wait| wait.wakers.iter().map(|waker| waker.pid));
                wakers.insert(process.pid, all.collect::<BTreeSet<u32>>());
            }
        }
        for &pid in wakers.values().flatten() {
            if !self.processes.contains_key(&pid) && pid != std::process::id() {
                self.others.entry(pid).or_insert_with(|| Process::new(pid, PathBuf::new()));
            }
        }
        wakers
    }

    /// Whether the process still sleeps as it did, and nobody outside of its group counts on that.
    fn is_due(&self, pid: u32, group: &[u32]) -> bool {
        let Some(process) = self.processes.get(&pid).or_else(|| self.others.get(&pid)) else { return false };
        let sleeps = kernel::threads(pid).is_some_and(|threads| threads == process.threads);
        let above = std::iter::successors(kernel::parent(pid), |&pid| kernel::parent(pid)).take(DEEPEST);
        let mut recorded =
            above.filter(|pid| !group.contains(pid)).filter_map(|pid| self.processes.get(&pid));
        sleeps && recorded.all(|process| process.waits_for_others(self.test_harness))
    }

    /// Ends the recorded processes of a group. All are stopped first, so that none goes on when another
    /// is gone.
    fn end_group(&mut self, group: &[u32]) {
        let clock = self.folder.join(CLOCK_FILE);
        let recorded = group.iter().filter_map(|pid| self.processes.get(pid));
        let of_run = recorded.filter(|process| kernel::has_mapped(process.pid, &clock));
        let handles: Vec<_> =
            of_run.filter_map(|process| Some((process, ProcessHandle::open(process.pid)?))).collect();
        let Some(seq) = clock_now(&self.folder) else { return };
        let stopped: Vec<_> = handles.iter().filter(|(_, handle)| handle.stop()).collect();
        for (process, handle) in &stopped {
            if handle.kill() {
                let waits = process.waits().cloned().unwrap_or_default();
                self.ended.push(StuckProcess { pid: process.pid, seq, waits });
            }
        }
        for (_, handle) in &stopped {
            handle.wait(DYING);
        }
    }

    /// The cheapest look of all: whether the run's clock went on, and there is but one process that
    /// can have moved it.
    fn only_process_runs(&mut self) -> bool {
        let before = std::mem::replace(&mut self.clock, clock_now(&self.folder));
        let ran = before != self.clock && self.processes.len() == 1;
        for process in self.processes.values_mut().filter(|_| ran) {
            process.threads.clear();
        }
        ran
    }

    /// Takes in trace files that are new. A process that exec'd has one per image.
    fn find_processes(&mut self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for file in entries.flatten().map(|entry| entry.path()) {
            let Some((pid, image)) = image_of(&file) else { continue };
            let newer = |known: &Process| image_of(&known.file).is_none_or(|(_, known)| known < image);
            if self.processes.get(&pid).is_none_or(newer) && kernel::lives(pid) {
                self.processes.insert(pid, Process::new(pid, file));
            }
        }
    }
}

/// Process id and number of the image: `<pid>.trace`, `<pid>-<n>.trace`.
fn image_of(file: &Path) -> Option<(u32, u32)> {
    let extension = file.extension()?;
    let stem = file.file_stem()?.to_str().filter(|_| extension == TRACE_EXTENSION)?;
    match stem.split_once('-') {
        None => Some((stem.parse().ok()?, 0)),
        Some((pid, image)) => Some((pid.parse().ok()?, image.parse().ok()?)),
    }
}

impl Process {
    fn new(pid: u32, file: PathBuf) -> Process {
        let (since, threads) = (Instant::now(), Vec::new());
        Process { pid, file, since, threads, waits: None }
    }

    /// Asks the kernel for the threads; false if the process is gone.
    fn refresh(&mut self) -> bool {
        let Some(threads) = kernel::threads(self.pid) else { return false };
        if threads != self.threads {
            self.threads = threads;
            self.since = Instant::now();
            self.waits = None;
        }
        true
    }

    /// Asks the kernel what it waits for.
    fn look_into(&mut self, harness: bool, everyone: &Everyone) {
        // The main thread of a harness waits for its tests, now and then for a while.
        let is_main = |thread: &&KernelThread| {
            harness && thread.id == self.pid && kernel::sleeps_in_futex(self.pid, thread.id)
        };
        let tests: Vec<KernelThread> =
            self.threads.iter().filter(|thread| !is_main(thread)).copied().collect();
        let threads = if tests.is_empty() { &self.threads } else { &tests };
        let waits = everyone.waits(self.pid, threads).filter(|_| !kernel::handles_signals(self.pid));
        self.waits = Some((Instant::now(), waits));
    }

    /// What it waits for, if only certain processes can end that.
    fn waits(&self) -> Option<&Vec<KernelWait>> {
        self.waits.as_ref()?.1.as_ref()
    }

    /// Whether all threads have slept for a while.
    fn is_quiet(&self) -> bool {
        self.since.elapsed() >= QUIET && self.threads.iter().all(|thread| thread.sleeps)
    }

    /// Whether all threads have slept for a while, and none of them in a wait that ends by itself. The
    /// main thread of a harness looks at its clock from time to time.
    fn waits_for_others(&self, harness: bool) -> bool {
        let is_main = |thread: &KernelThread| harness && thread.id == self.pid;
        let untimed = |thread: &KernelThread| {
            is_main(thread) && kernel::sleeps_in_futex(self.pid, thread.id)
                || kernel::sleeps_untimed(self.pid, thread.id)
        };
        self.is_quiet() && self.threads.iter().all(untimed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_known_by_its_name_and_a_later_image_by_its_number() {
        assert_eq!(image_of(Path::new("/run/12.trace")), Some((12, 0)));
        assert_eq!(image_of(Path::new("/run/12-3.trace")), Some((12, 3)));
        assert_eq!(image_of(Path::new("/run/clock")), None);
        assert_eq!(image_of(Path::new("/run/run.trace")), None);
    }

    #[test]
    fn looks_become_rarer() {
        let mut watcher = Watcher::new(PathBuf::from("/no/such/run"), false);
        let pauses: Vec<_> = (0..20).map(|_| watcher.pause()).collect();
        assert!(pauses.is_sorted());
        assert_eq!((pauses[0], pauses[19]), (SHORTEST_PAUSE, LONGEST_PAUSE));
        watcher.look();
        assert_eq!(watcher.watched(), Watched::default());
    }
}
