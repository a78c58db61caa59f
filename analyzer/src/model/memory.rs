//! What the memory layer said of an execution.
//!
//! Its records are remarks on the execution and no actions of the program: they stand beside
//! [`Execution::events`] and not among them, so that nobody who asks what a thread did next finds one.
//! The edges that atomics make ([`Kind::SynchronizesWith`], [`Kind::ReadsFrom`]) are events.
//!
//! Invariants:
//! * Threads are those of the run: `thread` of an [`Access`] or a [`Block`] is a [`ThreadId`], 0 none.
//! * Remarks and accesses are sorted by sequence number.
//!
//! [`Execution::events`]: crate::model::execution::Execution::events

use snag_trace::decode::MemoryRecord;
use snag_trace::memory::{self, Counts, SharedAccess};
use snag_trace::{Flags, Kind, ProcessTrace};

use crate::finding::MemoryStats;
use crate::model::execution::{Event, ObjectId, ThreadId};

/// One access.
pub type Access = memory::Access<Vec<u64>>;
/// What memory two accesses have in common.
pub type Block = memory::Block<Vec<u64>>;
/// A read that did not synchronize.
pub type WeakRead = memory::WeakRead<Vec<u64>>;
/// Two conflicting accesses.
pub type Conflict = memory::Conflict<Vec<u64>>;
/// A load and a store of one atomic.
pub type Update = memory::Update<Vec<u64>>;

/// What a remark says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Two conflicting accesses that nothing orders.
    Race(Box<Conflict>),
    /// Two conflicting accesses that something orders: one of a sample.
    Ordered(Box<Conflict>),
    /// A load and a later store of one atomic by one thread.
    Update(Box<Update>),
}

/// One remark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// When it was made: right after the later access that it speaks of.
    pub seq: u64,
    /// The thread whose access that is.
    pub thread: ThreadId,
    /// Index of its process.
    pub process: u32,
    /// What it says.
    pub said: Said,
}

/// An access to memory that processes share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// When it was made.
    pub seq: u64,
    /// A number before an atomic took effect, 0 for a plain access.
    pub began: u64,
    /// The memory.
    pub object: ObjectId,
    /// Index of the process that made it.
    pub process: u32,
    /// Of its first byte in that memory.
    pub offset: u64,
    /// What an atomic read.
    pub read: u64,
    /// Whether it was repeated until its thread's next event.
    pub repeated: bool,
    /// What was done.
    pub access: Access,
}

/// Everything that the memory layer said.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Its remarks.
    pub remarks: Vec<Remark>,
    /// Plain accesses, where each was recorded: `arg` is as in [`Kind::MemoryRead`].
    pub accesses: Vec<Event>,
    /// Accesses to memory that processes share.
    pub shared: Vec<Shared>,
    /// What it saw and forgot, of all processes together.
    pub counts: Counts,
}

/// Whether events of this kind are remarks and not actions.
#[must_use]
pub const fn is_remark(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::DataRace
            | Kind::Conflict
            | Kind::AtomicUpdate
            | Kind::MemoryCounts
            | Kind::MemoryRead
            | Kind::MemoryWrite
            | Kind::SharedAccess
    )
}

impl Memory {
    /// Takes in the record of a remark of this process, whose threads `number` translates.
    pub(super) fn take(
        &mut self,
        process: u32,
        event: Event,
        trace: &mut ProcessTrace,
        mut number: impl FnMut(u32) -> ThreadId,
    ) {
        if matches!(event.kind, Kind::MemoryRead | Kind::MemoryWrite) {
            self.accesses.push(event);
            return;
        }
        let mut renumber = |threads: &mut [&mut u32]| {
            for thread in threads {
                **thread = number(**thread).0;
            }
        };
        let said = match trace.memory.remove(&event.seq) {
            Some(MemoryRecord::Conflict(mut conflict)) => {
                let Conflict { current, previous, block, weak } = &mut *conflict;
                renumber(&mut [&mut current.thread, &mut previous.thread, &mut block.thread]);
                if let Some(WeakRead { store, load }) = weak {
                    renumber(&mut [&mut store.thread, &mut load.thread]);
                }
                if event.kind == Kind::DataRace { Said::Race(conflict) } else { Said::Ordered(conflict) }
            }
            Some(MemoryRecord::Update(mut update)) => {
                let Update { load, store, between, before, block, .. } = &mut *update;
                renumber(&mut [&mut load.thread, &mut store.thread, &mut block.thread]);
                for other in [between, before].into_iter().flatten() {
                    renumber(&mut [&mut other.thread]);
                }
                Said::Update(update)
            }
            Some(MemoryRecord::Shared(mut shared)) => {
                renumber(&mut [&mut shared.access.thread]);
                let SharedAccess { offset, read, began, access } = *shared;
                let (seq, object, repeated) = (event.seq, event.object, event.flags.has(Flags::TRY));
                self.shared.push(Shared { seq, began, object, process, offset, read, repeated, access });
                return;
            }
            None => return,
        };
        self.remarks.push(Remark { seq: event.seq, thread: event.thread, process, said });
    }

    /// Adds up what a process saw and forgot.
    pub(super) fn add_counts(&mut self, of_process: &Counts) {
        let Counts { resets, evicted, places_lost, repeats, live_threads, slots_shared, shared_dropped } =
            &mut self.counts;
        *resets += of_process.resets;
        *evicted += of_process.evicted;
        *places_lost += of_process.places_lost;
        *repeats += of_process.repeats;
        *live_threads = of_process.live_threads.max(*live_threads);
        *slots_shared += of_process.slots_shared;
        *shared_dropped += of_process.shared_dropped;
    }

    /// Sorts everything, once all processes are in.
    pub(super) fn sort(&mut self) {
        self.remarks.sort_by_key(|remark| remark.seq);
        self.accesses.sort_by_key(|access| access.seq);
        self.shared.sort_by_key(|access| access.seq);
    }

    /// What was seen of memory; nothing where it was not looked at.
    #[must_use]
    pub fn stats(&self) -> Option<MemoryStats> {
        let Counts { resets, evicted, places_lost, repeats, live_threads, slots_shared, shared_dropped } =
            self.counts;
        let ordered = self.remarks.iter().filter(|remark| matches!(remark.said, Said::Ordered(_)));
        (live_threads > 0).then(|| MemoryStats {
            ordered_pairs: ordered.count() as u64,
            forgotten: evicted,
            resets,
            places_lost,
            repeats,
            live_threads,
            threads_shared: slots_shared,
            shared_dropped,
        })
    }

    /// The access to shared memory with this number.
    #[must_use]
    pub fn shared_at(&self, seq: u64) -> Option<&Shared> {
        let at = self.shared.binary_search_by_key(&seq, |access| access.seq).ok()?;
        Some(&self.shared[at])
    }

    /// The thread that made the remark, or the access, with this number.
    #[must_use]
    pub fn thread_of(&self, seq: u64) -> Option<ThreadId> {
        let remark = self.remarks.binary_search_by_key(&seq, |remark| remark.seq).ok();
        let access = || self.accesses.binary_search_by_key(&seq, |access| access.seq).ok();
        remark.map(|at| self.remarks[at].thread).or_else(|| access().map(|at| self.accesses[at].thread))
    }
}
