//! What processes do to memory that they share: races between them, and loads and stores of one atomic
//! between which another process may come.
//!
//! The memory layer judges each process by itself while it runs; here the recorded accesses of several are
//! judged, by the clocks of the whole execution ([`Clocks`]) and FastTrack's rule. Pairs within one process
//! are left to the memory layer, which sees all accesses.
//!
//! Invariants:
//! * A read with acquire ordering comes after the releasing writes whose value it may have read: of those
//!   that were begun by then, up to the last one that wrote what was read. A value that nobody is known to
//!   have written, and that was not there at first, comes after everything. That may order more than the
//!   program did, and never less.
//! * Nothing is judged after the moment at which a process's recording stopped.
//! * A write came between a load and a store for certain: it was begun after the load had been made, and
//!   over before the store began. Or the two writes overlap and each follows a load that was made before the other
//!   began: then whichever came first is lost, and they are told as if this one was.
//!
//! Source: Flanagan and Freund, "FastTrack", PLDI 2009. Misses: accesses that were too many to be recorded
//! (told in the report); more than [`KEPT`] accesses to one granule; that a relaxed store ends a release
//! sequence.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::rc::Rc;

use snag_trace::memory::{AccessKind, Ordering, Region};

use crate::model::clocks::{Clock, Clocks};
use crate::model::execution::{Execution, ObjectId, ThreadId};
use crate::model::memory::{Block, Conflict, Remark, Said, Shared, Update};

/// Bytes that are judged together.
const GRANULE: u64 = 8;
/// Accesses of a granule, and writes of an atomic, that are remembered.
const KEPT: usize = 64;
/// Remarks of each pair of places.
const OF_PAIR: u32 = 8;

/// What is to be said of accesses by several processes.
#[must_use]
pub fn judge(execution: &Execution) -> Vec<Remark> {
    let shared = &execution.memory.shared;
    let is_crossing = shared.iter().any(|access| access.process != shared[0].process);
    if !is_crossing {
        return Vec::new();
    }
    let stops = execution.processes.iter().filter_map(|process| process.definitions.stopped);
    let until = stops.min().unwrap_or(u64::MAX);
    let mut judge = Judge::new(execution);
    for (number, step) in steps(shared) {
        if number > until {
            break;
        }
        judge.advance(number);
        match step {
            Step::Begins(access) => judge.begins(access),
            Step::Done(access) => judge.done(access),
        }
    }
    judge.remarks
}

/// What happens at a number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// An atomic that may write is about to take effect.
    Begins(usize),
    /// The access was made.
    Done(usize),
}

fn steps(shared: &[Shared]) -> Vec<(u64, Step)> {
    let mut steps = Vec::with_capacity(shared.len());
    for (index, access) in shared.iter().enumerate() {
        if is_atomic(access.access.kind) && writes(access.access.kind) {
            steps.push((access.began, Step::Begins(index)));
        }
        steps.push((access.seq, Step::Done(index)));
    }
    steps.sort_unstable();
    steps
}

const fn is_atomic(kind: AccessKind) -> bool {
    matches!(kind, AccessKind::AtomicLoad | AccessKind::AtomicStore | AccessKind::AtomicUpdate)
}

const fn writes(kind: AccessKind) -> bool {
    !matches!(kind, AccessKind::Read | AccessKind::AtomicLoad | AccessKind::VolatileRead)
}

const fn acquires(ordering: Ordering) -> bool {
    matches!(ordering, Ordering::Acquire | Ordering::AcqRel | Ordering::SeqCst)
}

const fn releases(ordering: Ordering) -> bool {
    matches!(ordering, Ordering::Release | Ordering::AcqRel | Ordering::SeqCst)
}

impl Shared {
    /// The number by which others know that it was made: of an atomic the one before its effect.
    const fn number(&self) -> u64 {
        if self.began == 0 { self.seq } else { self.began }
    }

    const fn thread(&self) -> ThreadId {
        ThreadId(self.access.thread)
    }

    /// Memory, offset and size of an atomic.
    const fn variable(&self) -> (ObjectId, u64, u32) {
        (self.object, self.offset, self.access.size)
    }

    /// The code that made it.
    fn code(&self) -> u64 {
        self.access.stack.first().copied().unwrap_or(0)
    }

    /// Its granules, each with the bytes in it.
    fn granules(&self) -> impl Iterator<Item = (u64, u8)> + use<> {
        let (start, end) = (self.offset, self.offset + u64::from(self.access.size.max(1)));
        (start / GRANULE..end.div_ceil(GRANULE)).map(move |granule| {
            let first = start.max(granule * GRANULE) - granule * GRANULE;
            let last = end.min((granule + 1) * GRANULE) - granule * GRANULE;
            (granule, (0xff_u16 << first & !(0xff_u16 << last)) as u8)
        })
    }
}

/// An access that is remembered of a granule.
#[derive(Clone, Copy)]
struct Past {
    access: usize,
    mask: u8,
}

/// One atomic.
#[derive(Default)]
struct Variable {
    /// What was written, and what whoever reads it knows: each knows what the ones before do.
    written: VecDeque<(u64, Rc<Clock>)>,
    /// What the first read found before anything was written.
    initial: Option<u64>,
    /// The last writes and reads.
    writes: VecDeque<usize>,
    reads: VecDeque<usize>,
    /// By thread: its last access, and the load since its last write.
    last: HashMap<ThreadId, usize>,
    loaded: HashMap<ThreadId, Loaded>,
}

/// A load of which a store may follow.
#[derive(Clone, Copy)]
struct Loaded {
    access: usize,
    /// A write of another process that could as well have come after it.
    before: Option<usize>,
}

struct Judge<'a> {
    execution: &'a Execution,
    shared: &'a [Shared],
    clocks: Clocks<'a>,
    granules: HashMap<(ObjectId, u64), Vec<Past>>,
    variables: HashMap<(ObjectId, u64, u32), Variable>,
    /// Reads that were repeated until their threads' next step.
    repeated: HashMap<ThreadId, usize>,
    /// What relaxed reads would have learnt, for a fence; what a fence let later writes give on.
    unacquired: HashMap<ThreadId, Clock>,
    fenced: HashMap<ThreadId, Clock>,
    extents: HashMap<ObjectId, u64>,
    /// The load that came before a store, of the same thread.
    loads: HashMap<usize, usize>,
    told: BTreeMap<(u64, u64, bool), u32>,
    remarks: Vec<Remark>,
}

impl<'a> Judge<'a> {
    fn new(execution: &'a Execution) -> Judge<'a> {
        let shared = &execution.memory.shared[..];
        let mut extents: HashMap<ObjectId, u64> = HashMap::new();
        for access in shared {
            let end = extents.entry(access.object).or_default();
            *end = (*end).max(access.offset + u64::from(access.access.size));
        }
        Judge {
            execution,
            shared,
            clocks: Clocks::new(execution),
            granules: HashMap::new(),
            variables: HashMap::new(),
            repeated: HashMap::new(),
            unacquired: HashMap::new(),
            fenced: HashMap::new(),
            extents,
            loads: HashMap::new(),
            told: BTreeMap::new(),
            remarks: Vec::new(),
        }
    }

    /// Passes the events before this number.
    fn advance(&mut self, number: u64) {
        while let Some(event) = self.clocks.peek(number) {
            self.settle(event.thread);
            self.clocks.step();
            if event.kind == snag_trace::Kind::Fence {
                let ordering = u8::try_from(event.arg).ok().and_then(Ordering::from_wire);
                self.fence(event.thread, ordering.unwrap_or(Ordering::SeqCst));
            }
        }
    }

    /// The thread goes on: reads that it repeated are over.
    fn settle(&mut self, thread: ThreadId) {
        if let Some(access) = self.repeated.remove(&thread) {
            self.learn(access);
        }
    }

    fn fence(&mut self, thread: ThreadId, ordering: Ordering) {
        if acquires(ordering)
            && let Some(clock) = self.unacquired.remove(&thread)
        {
            self.clocks.thread(thread).join(&clock);
        }
        if releases(ordering) {
            let clock = self.clocks.thread(thread).clone();
            self.fenced.insert(thread, clock);
        }
    }

    /// A write of an atomic is about to take effect: it may be read from now on.
    fn begins(&mut self, index: usize) {
        let access = &self.shared[index];
        let thread = access.thread();
        self.settle(thread);
        self.clocks.thread(thread).learn(thread, access.number());
        let given = if releases(access.access.ordering) {
            Some(self.clocks.thread(thread).clone())
        } else {
            self.fenced.get(&thread).cloned()
        };
        let variable = self.variables.entry(access.variable()).or_default();
        let known = variable.written.back().map(|(_, clock)| Rc::clone(clock)).unwrap_or_default();
        let clock = match given {
            Some(given) => {
                let mut all = (*known).clone();
                all.join(&given);
                Rc::new(all)
            }
            None => known,
        };
        variable.written.push_back((access.access.value, clock));
        if variable.written.len() > KEPT {
            variable.written.pop_front();
        }
    }

    /// What a read of this value may have synchronized with.
    fn source_of(&self, access: &Shared) -> Rc<Clock> {
        let Some(variable) = self.variables.get(&access.variable()) else { return Rc::default() };
        let value = access.read;
        if let Some((_, clock)) = variable.written.iter().rfind(|(written, _)| *written == value) {
            return Rc::clone(clock);
        }
        if variable.initial == Some(value) {
            return Rc::default();
        }
        Rc::new(self.clocks.everything())
    }

    fn learn(&mut self, index: usize) {
        let access = &self.shared[index];
        let clock = self.source_of(access);
        let thread = access.thread();
        if acquires(access.access.ordering) {
            self.clocks.thread(thread).join(&clock);
        } else {
            self.unacquired.entry(thread).or_default().join(&clock);
        }
    }

    fn done(&mut self, index: usize) {
        let shared = self.shared;
        let access = &shared[index];
        let (thread, kind) = (access.thread(), access.access.kind);
        self.settle(thread);
        self.clocks.thread(thread).learn(thread, access.number());
        if is_atomic(kind) {
            let before = self.clocks.thread(thread).clone();
            let variable = self.variables.entry(access.variable()).or_default();
            if variable.written.is_empty() && kind == AccessKind::AtomicLoad {
                variable.initial.get_or_insert(access.read);
            }
            if kind != AccessKind::AtomicStore {
                self.learn(index);
                if access.repeated {
                    self.repeated.insert(thread, index);
                }
            }
            self.update(index, &before);
        }
        self.races(index);
    }

    /// Compares an access with those of other processes, and remembers it.
    fn races(&mut self, index: usize) {
        let shared = self.shared;
        let access = &shared[index];
        let kind = access.access.kind;
        let clock = self.clocks.thread(access.thread()).clone();
        for (granule, mask) in access.granules() {
            let there = self.granules.entry((access.object, granule)).or_default();
            let racing = there.iter().find(|past| {
                let other = &shared[past.access];
                let conflicts = (writes(kind) || writes(other.access.kind))
                    && !(is_atomic(kind) && is_atomic(other.access.kind));
                conflicts
                    && past.mask & mask != 0
                    && other.process != access.process
                    && other.number() > clock.of(other.thread())
            });
            let racing = racing.map(|past| past.access);
            there.retain(|past| {
                let other = &shared[past.access];
                let same = other.access.thread == access.access.thread
                    && writes(other.access.kind) == writes(kind)
                    && is_atomic(other.access.kind) == is_atomic(kind);
                !same || past.mask & !mask != 0
            });
            if there.len() >= KEPT {
                there.remove(0);
            }
            there.push(Past { access: index, mask });
            if let Some(other) = racing {
                self.tell_race(index, other);
            }
        }
    }

    /// Whether one more remark on these two places is wanted.
    fn is_wanted(&mut self, one: u64, other: u64, race: bool) -> bool {
        let told = self.told.entry((one, other, race)).or_default();
        *told += 1;
        *told <= OF_PAIR
    }

    fn tell_race(&mut self, current: usize, previous: usize) {
        let (current, previous) = (&self.shared[current], &self.shared[previous]);
        if !self.is_wanted(current.code(), previous.code(), true) {
            return;
        }
        let block = self.block(current);
        let (now, then) = (current.access.clone(), previous.access.clone());
        let conflict = Conflict { current: now, previous: then, block, weak: None };
        self.say(current, Said::Race(Box::new(conflict)));
    }

    fn say(&mut self, access: &Shared, said: Said) {
        let Shared { seq, process, .. } = *access;
        self.remarks.push(Remark { seq, thread: access.thread(), process, said });
    }

    /// The memory around an access, as its process has it.
    fn block(&self, access: &Shared) -> Block {
        let object = self.execution.objects[access.object.at()];
        let of = |process: u32| &self.execution.processes[process as usize].definitions;
        let (there, here) = (of(object.process), of(access.process));
        let site = there.objects.get(&object.number).map_or(0, |info| info.site);
        let stack = there.code_sites.get(&site).map_or(&[][..], Vec::as_slice);
        // Another image of the same executable may be loaded elsewhere.
        let is_known = there.executable == here.executable;
        let moved = |&address: &u64| address.wrapping_sub(there.load_base).wrapping_add(here.load_base);
        Block {
            region: Region::Shared,
            thread: 0,
            base: access.access.address.wrapping_sub(access.offset),
            size: self.extents.get(&access.object).copied().unwrap_or(0),
            stack: if is_known { stack.iter().map(moved).collect() } else { Vec::new() },
        }
    }

    /// Notes what an access to an atomic means for loads and stores of it; `before` is what its thread knew
    /// before the access.
    fn update(&mut self, index: usize, before: &Clock) {
        let shared = self.shared;
        let access = &shared[index];
        let (thread, kind) = (access.thread(), access.access.kind);
        let variable = self.variables.entry(access.variable()).or_default();
        let own_last = variable.last.insert(thread, index).map_or(0, |last| shared[last].seq);
        let loaded = if kind == AccessKind::AtomicLoad { None } else { variable.loaded.remove(&thread) };
        if kind == AccessKind::AtomicLoad {
            let write = variable.writes.iter().rfind(|&&write| shared[write].seq < access.began).copied();
            let could_come_later = |&write: &usize| {
                let write = &shared[write];
                write.process != access.process
                    && write.number() > before.of(write.thread())
                    && write.number() > own_last
            };
            let before = write.filter(could_come_later);
            variable.loaded.insert(thread, Loaded { access: index, before });
        }
        if kind != AccessKind::AtomicStore {
            push(&mut variable.reads, index);
        }
        if writes(kind) {
            push(&mut variable.writes, index);
        }
        if kind == AccessKind::AtomicStore
            && let Some(loaded) = loaded
        {
            self.tell_update(index, loaded);
        }
    }

    fn tell_update(&mut self, store: usize, loaded: Loaded) {
        let shared = self.shared;
        self.loads.insert(store, loaded.access);
        let (load, store) = (&shared[loaded.access], &shared[store]);
        let Some(variable) = self.variables.get(&store.variable()) else { return };
        let is_between = |&&index: &&usize| {
            let write = &shared[index];
            let overlaps = || self.loads.get(&index).is_some_and(|&load| shared[load].seq < store.began);
            write.process != store.process
                && write.began > load.seq
                && (write.seq < store.began || overlaps())
        };
        let between = variable.writes.iter().rfind(is_between).map(|&write| &shared[write]);
        let unread = between.is_some_and(|write| {
            !variable.reads.iter().map(|&read| &shared[read]).any(|read| {
                read.access.thread != write.access.thread
                    && read.seq > write.began
                    && read.began < store.seq
                    && read.read == write.access.value
            })
        });
        let before = loaded.before.map(|write| &shared[write]);
        if between.is_none() && before.is_none() || !self.is_wanted(load.code(), store.code(), false) {
            return;
        }
        let update = Update {
            load: load.access.clone(),
            store: store.access.clone(),
            between: between.map(|write| write.access.clone()),
            before: before.map(|write| write.access.clone()),
            unread,
            same_activation: load.access.stack.get(1..) == store.access.stack.get(1..),
            block: self.block(store),
        };
        self.say(store, Said::Update(Box::new(update)));
    }
}

fn push(queue: &mut VecDeque<usize>, index: usize) {
    queue.push_back(index);
    if queue.len() > KEPT {
        queue.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::family_script::{Family, MUTEX, PIPE};
    use snag_trace::Kind;

    fn races(family: Family) -> usize {
        let execution = family.load();
        execution.memory.remarks.iter().filter(|remark| matches!(remark.said, Said::Race(_))).count()
    }

    fn updates(family: Family) -> Vec<Update> {
        let remarks = family.load().memory.remarks.into_iter();
        remarks
            .filter_map(|remark| match remark.said {
                Said::Update(update) => Some(*update),
                _ => None,
            })
            .collect()
    }

    /// Two processes write, with `between` done in between.
    fn writes_with(between: impl FnOnce(&mut Family) -> u64) -> usize {
        let mut family = Family::of(2);
        family.write(1);
        between(&mut family);
        family.write(0);
        races(family)
    }

    #[test]
    fn two_processes_that_write_with_nothing_between_race() {
        assert_eq!(writes_with(|_| 0), 1);
        let mut family = Family::of(3);
        family.read(1);
        family.read(2);
        assert_eq!(races(family), 0);
    }

    #[test]
    fn one_process_is_left_to_the_memory_layer() {
        let mut family = Family::of(2);
        family.write(1);
        family.write(1);
        assert_eq!(races(family), 0);
    }

    #[test]
    fn what_the_parent_did_before_the_fork_comes_before_the_child() {
        let mut family = Family::of(1);
        family.write(0);
        let mut later = Family::of(2);
        later.write(1);
        assert_eq!((races(family), races(later)), (0, 0));
    }

    #[test]
    fn a_lock_that_both_take_orders_them_and_one_that_was_not_given_up_does_not() {
        let mut family = Family::of(3);
        family.locked(1, |family| family.write(1));
        family.locked(2, |family| family.write(2));
        assert_eq!(races(family), 0);
        let mut family = Family::of(3);
        family.locked(1, |_| 0);
        family.write(1);
        family.locked(2, |family| family.write(2));
        assert_eq!(races(family), 1);
        assert_eq!(writes_with(|family| family.event(0, Kind::Acquire, MUTEX, 0)), 1);
    }

    #[test]
    fn a_child_that_was_waited_for_came_before() {
        assert_eq!(writes_with(|family| family.event(0, Kind::Reaped, 0, 101)), 0);
        assert_eq!(writes_with(|family| family.event(0, Kind::Reaped, 0, 999)), 1);
    }

    #[test]
    fn a_read_comes_after_the_write_whose_bytes_it_gets_and_not_after_the_next() {
        let put = |family: &mut Family| {
            family.event(1, Kind::StreamWrite, PIPE, 4);
            family.event(1, Kind::StreamWritten, PIPE, 4);
        };
        let take = |family: &mut Family, bytes: u64| family.event(0, Kind::StreamRead, PIPE, bytes);
        let ordered = writes_with(|family| {
            put(family);
            take(family, 4)
        });
        assert_eq!(ordered, 0);
        // The access comes after the message that was read.
        let mut family = Family::of(2);
        put(&mut family);
        family.write(1);
        put(&mut family);
        take(&mut family, 4);
        family.write(0);
        take(&mut family, 4);
        assert_eq!(races(family), 1);
        // Somebody unseen took bytes out: which ones were read is not known.
        let mut family = Family::of(2);
        put(&mut family);
        family.write(1);
        put(&mut family);
        take(&mut family, 4);
        family.write(0);
        assert_eq!(races(family), 0);
    }

    #[test]
    fn the_end_of_a_stream_comes_after_everything_and_a_signal_before_what_its_process_does() {
        assert_eq!(writes_with(|family| family.event(0, Kind::StreamRead, PIPE, 0)), 0);
        let signalled = |pid: u64| {
            writes_with(|family| {
                family.event(1, Kind::Signal, 0, 10 << 32 | pid);
                family.event(0, Kind::GiveUp, 0, 0)
            })
        };
        assert_eq!((signalled(100), signalled(555)), (0, 1));
    }

    #[test]
    fn a_release_write_that_is_read_with_acquire_orders_and_a_relaxed_one_does_not() {
        use AccessKind::{AtomicLoad, AtomicStore};
        let flag = |store: Ordering, load: Ordering, value: u64| {
            let mut family = Family::of(2);
            let data = family.write(1);
            family.access(1, AtomicStore, store, 1);
            family.access(0, AtomicLoad, load, value);
            family.write(0);
            let execution = family.load();
            execution.memory.remarks.iter().any(|remark| match &remark.said {
                Said::Race(race) => race.previous.kind == AccessKind::Write && remark.seq > data,
                _ => false,
            })
        };
        assert!(!flag(Ordering::Release, Ordering::Acquire, 1));
        assert!(flag(Ordering::Relaxed, Ordering::Acquire, 1));
        assert!(flag(Ordering::Release, Ordering::Relaxed, 1));
        // A value that nobody is known to have written may be anybody's.
        assert!(!flag(Ordering::Relaxed, Ordering::Acquire, 77));
    }

    #[test]
    fn a_store_between_load_and_store_is_told_and_one_that_could_have_been() {
        use AccessKind::{AtomicLoad, AtomicStore};
        let order = Ordering::Relaxed;
        let mut family = Family::of(3);
        family.access(1, AtomicLoad, order, 0);
        family.access(2, AtomicLoad, order, 0);
        family.access(2, AtomicStore, order, 1);
        family.access(1, AtomicStore, order, 1);
        let [update] = &updates(family)[..] else { panic!("one update") };
        let between = update.between.as_ref().expect("a store came between");
        assert!(update.unread && between.value == 1 && between.thread != update.store.thread);
        let mut family = Family::of(3);
        family.access(1, AtomicLoad, order, 0);
        family.access(1, AtomicStore, order, 1);
        family.access(2, AtomicLoad, order, 1);
        family.access(2, AtomicStore, order, 2);
        let [update] = &updates(family)[..] else { panic!("one update") };
        assert!(update.between.is_none() && update.before.is_some());
    }

    #[test]
    fn under_a_lock_no_store_can_come_between() {
        use AccessKind::{AtomicLoad, AtomicStore};
        let mut family = Family::of(3);
        for process in [1, 2] {
            family.locked(process, |family| {
                family.access(process, AtomicLoad, Ordering::Relaxed, process as u64 - 1);
                family.access(process, AtomicStore, Ordering::Relaxed, process as u64)
            });
        }
        assert!(updates(family).is_empty());
    }

    #[test]
    fn nothing_is_judged_after_a_recording_stopped() {
        let mut family = Family::of(2);
        family.write(1);
        family.but(1, |trace| trace.stopped = Some(1));
        family.write(0);
        assert_eq!(races(family), 0);
    }
}
