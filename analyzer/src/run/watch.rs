//! The watcher: ends a process in which no thread can ever run again.
//!
//! Invariant: it ends a process only if nothing can wake it. A look asks the kernel first, which
//! costs next to nothing; only a process whose threads have all slept since an earlier look, without
//! a single context switch, is judged by its trace. It is stuck if
//! * its threads are exactly those that the recorder knows, and each waits, untimed, in a recorded
//!   operation (in a libtest harness the main thread may instead sleep in an unrecorded futex: it
//!   waits for the tests);
//! * it handles no signals, so that no handler can give what is waited for;
//! * nothing that is waited for lies in memory shared with other processes.
//!
//! Processes that wait for each other are judged by the kernel's word alone, their threads sleeping as
//! above: they are stuck if each thread waits, untimed, for something that only they could do
//! ([`crate::run::waits`], [`crate::run::closed`]). They are ended together.
//!
//! Whoever started the process may count on it to hang (a test of a deadlock does): it is ended only
//! if each recorded process above it waits without a limit in time as well.
//!
//! Misses: a process that meets all this but for a thread that sleeps elsewhere (for a socket, in a
//! timed wait) is left to run; what is deadlocked in it is reported when it ends.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use snag_trace::decode::Record;
use snag_trace::layout::{CLOCK_FILE, TRACE_EXTENSION};
use snag_trace::{Kind, ProcessTrace};

use crate::model::wait_for::WaitState;
use crate::run::closed::closed_groups;
use crate::run::folder::clock_now;
use crate::run::kernel::{self, KernelThread, ProcessHandle};
use crate::run::meta::{KernelWait, StuckProcess};
use crate::run::tail::{Lost, Tail};
use crate::run::waits::Everyone;

/// Threads must have slept for so long.
const QUIET: Duration = Duration::from_millis(300);
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);
/// Who could wake a process is asked anew after so long, if it sleeps on: others may have closed what
/// they had open.
const STALE: Duration = Duration::from_secs(2);
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
    ended: Vec<StuckProcess>,
}

/// The newest image of a process.
#[derive(Debug)]
struct Process {
    pid: u32,
    file: PathBuf,
    follower: Option<Follower>,
    /// When its threads were first seen as they are now.
    since: Instant,
    threads: Vec<KernelThread>,
    /// Whether it is stuck as it is now, if that was looked into.
    stuck: Option<bool>,
    /// What it waits for in the kernel as it is now, and when that was looked into.
    waits: Option<(Instant, Option<Vec<KernelWait>>)>,
}

/// What the trace says so far.
#[derive(Debug)]
struct Follower {
    tail: Tail,
    waits: WaitState,
    /// Operating system's numbers of threads.
    os_threads: BTreeMap<u32, u32>,
}

impl Watcher {
    /// A watcher of the run in this folder.
    #[must_use]
    pub fn new(folder: PathBuf, test_harness: bool) -> Watcher {
        let (pause, processes, others) = (SHORTEST_PAUSE, BTreeMap::new(), BTreeMap::new());
        Watcher { folder, test_harness, pause, clock: None, processes, others, ended: Vec::new() }
    }

    /// How long to wait before the next look: longer and longer.
    pub fn pause(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 5 / 4).min(LONGEST_PAUSE);
        pause
    }

    /// Processes that were ended, in order.
    #[must_use]
    pub fn ended(self) -> Vec<StuckProcess> {
        self.ended
    }

    /// Looks at every process, and ends those that are stuck.
    pub fn look(&mut self) {
        self.find_processes();
        if self.only_process_runs() {
            return;
        }
        self.processes.retain(|_, process| process.refresh());
        let clock = self.folder.join(CLOCK_FILE);
        let harness = self.test_harness;
        let stuck: Vec<u32> = (self.processes.values_mut())
            .filter_map(|process| process.is_stuck(harness, &clock).then_some(process.pid))
            .collect();
        for pid in stuck {
            if self.is_awaited(pid) {
                self.ended.extend(self.processes[&pid].end(&clock));
            }
        }
        self.end_groups();
    }

    /// Ends processes that wait for each other.
    fn end_groups(&mut self) {
        self.others.retain(|_, process| process.refresh());
        for group in closed_groups(&self.wakers()) {
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
        let mut recorded = above.filter(|pid| !group.contains(pid)).filter_map(|pid| self.processes.get(&pid));
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

    /// Whether no recorded process above this one goes on by itself.
    fn is_awaited(&self, pid: u32) -> bool {
        let above = std::iter::successors(kernel::parent(pid), |&pid| kernel::parent(pid));
        let mut recorded = above.take(DEEPEST).filter_map(|pid| self.processes.get(&pid));
        recorded.all(|process| process.waits_for_others(self.test_harness))
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
        Process { pid, file, follower: None, since, threads, stuck: None, waits: None }
    }

    /// Asks the kernel for the threads; false if the process is gone.
    fn refresh(&mut self) -> bool {
        let Some(threads) = kernel::threads(self.pid) else { return false };
        if threads != self.threads {
            self.threads = threads;
            self.since = Instant::now();
            self.stuck = None;
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

    /// Whether nothing can wake any of its threads.
    fn is_stuck(&mut self, harness: bool, clock: &Path) -> bool {
        if !self.is_quiet() {
            return false;
        }
        if self.stuck.is_none() {
            self.stuck = Some(self.find_out(harness, clock));
        }
        self.stuck == Some(true)
    }

    fn find_out(&mut self, harness: bool, clock: &Path) -> bool {
        if self.follower.is_none() {
            self.follower = Follower::open(&self.file);
        }
        let Some(follower) = &mut self.follower else { return false };
        follower.read_on().is_ok()
            && follower.waits.all_stuck(harness.then_some(MAIN_THREAD))
            && follower.knows(&self.threads, self.pid, harness)
            && !kernel::handles_signals(self.pid)
            && kernel::has_mapped(self.pid, clock)
            && !follower.waits_in_shared_memory(self.pid)
    }

    /// Ends the process, if it is still the one that was judged and still asleep.
    fn end(&self, clock_file: &Path) -> Option<StuckProcess> {
        let handle = ProcessHandle::open(self.pid)?;
        let same = kernel::threads(self.pid)? == self.threads && kernel::has_mapped(self.pid, clock_file);
        let seq = clock_now(self.file.parent()?)?;
        (same && handle.kill()).then_some(StuckProcess { pid: self.pid, seq, waits: Vec::new() })
    }
}

/// The number of the main thread.
const MAIN_THREAD: u32 = 1;

impl Follower {
    fn open(file: &Path) -> Option<Follower> {
        let tail = Tail::open(file).ok()?;
        Some(Follower { tail, waits: WaitState::new(), os_threads: BTreeMap::new() })
    }

    fn read_on(&mut self) -> Result<(), Lost> {
        let Follower { tail, waits, os_threads } = self;
        tail.read_on(|record| {
            if record.event.kind == Kind::ThreadStart {
                os_threads.insert(record.event.thread, definition(record).0);
            }
            waits.apply(&record.event);
        })
    }

    /// Whether the kernel's threads are exactly the recorded ones that wait. In a harness the main
    /// thread may be one that waits elsewhere, if that is a futex.
    fn knows(&self, threads: &[KernelThread], pid: u32, harness: bool) -> bool {
        let waiting = |thread: &u32| self.waits.blocked(*thread).is_some();
        let live = self.waits.live_threads();
        let mut recorded = BTreeSet::new();
        for thread in live.iter().filter(|thread| waiting(thread)) {
            let Some(&os_thread) = self.os_threads.get(thread) else { return false };
            recorded.insert(os_thread);
        }
        let mut unknown = threads.iter().filter(|thread| !recorded.remove(&thread.id)).peekable();
        let main_waits_for_tests = match unknown.peek() {
            None => true,
            Some(thread) => harness && thread.id == pid && kernel::sleeps_in_futex(pid, thread.id),
        };
        main_waits_for_tests && unknown.count() <= 1 && recorded.is_empty()
    }

    /// Whether what some thread waits for may be given by another process. Yes if that is not known.
    fn waits_in_shared_memory(&self, pid: u32) -> bool {
        let live = self.waits.live_threads();
        let wanted: BTreeSet<u32> = (live.iter())
            .filter_map(|&thread| self.waits.blocked(thread))
            .map(|blocked| blocked.object)
            .filter(|&object| object != 0)
            .collect();
        let mut addresses = Vec::new();
        let Ok(mut tail) = self.tail.rewound() else { return true };
        let read = tail.read_on(|record| {
            if record.event.kind == Kind::ObjectNew && wanted.contains(&record.event.object) {
                addresses.push(definition(record).1);
            }
        });
        read.is_err() || kernel::any_shared(pid, &addresses)
    }
}

/// The operating system's thread id that a `ThreadStart` tells, and the address that an `ObjectNew`
/// tells.
fn definition(record: Record<'_>) -> (u32, u64) {
    let mut definitions = ProcessTrace::default();
    definitions.take(record);
    let os_thread = definitions.threads.values().next().map_or(0, |info| info.os_thread);
    let address = definitions.objects.values().next().map_or(0, |info| info.address);
    (os_thread, address)
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
        assert!(watcher.ended().is_empty());
    }
}
