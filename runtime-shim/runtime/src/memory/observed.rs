//! What a thread has read of others' writes, and what it has loaded and not yet stored: for those that
//! explain and predict, not for the verdict.
//!
//! Known misses: a thread remembers its last 16 reads that did not synchronize, and the last load of 16
//! atomics, fewer where their addresses collide.

use snag_trace::memory::{self, Access, AccessKind, Block, MAX_STACK, Ordering as Order, Update};
use snag_trace::{Flags, Kind, Mode};

use super::clock::SLOTS;
use super::place::{self, Place};
use super::sync_var::Operation;
use super::thread::Thread;
use super::variable::{Past, State};
use super::{block, context, sample, thread};
use crate::recorder::{self, At};

const WEAK: usize = 16;
const LOADS: usize = 16;
/// Calls of a load that are looked for among those of the store: an atomic's methods are calls too.
const CALLS: usize = 4;

/// A read of another thread's write that did not synchronize with it.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct WeakRead {
    pub(super) address: usize,
    pub(super) size: usize,
    pub(super) value: u64,
    pub(super) store: Past,
    pub(super) load: Past,
}

/// The last load of an atomic.
#[derive(Clone, Copy)]
#[repr(C)]
struct Load {
    address: usize,
    /// [`State::writes`] at the load.
    writes: u32,
    past: Past,
    value: u64,
    /// The write that it read, and its value, if that could as well have come after it; else none.
    before: (Past, u64),
    /// Where the load's return address stood.
    frame: usize,
    /// The innermost calls: where they stand among the thread's calls, and their contexts.
    calls: [(usize, u32); CALLS],
}

/// A thread's own part. All zero: nothing was seen.
#[repr(C)]
pub(super) struct Observed {
    /// By slot: up to which of its recorded events the thread knows of, by reading.
    seen: [u64; SLOTS],
    weak: [WeakRead; WEAK],
    next_weak: usize,
    loads: [Load; LOADS],
}

/// The thread has read the value of a variable, with a load that acquires or not, and knows its clock
/// already. To be called without the variable's lock.
#[derive(Clone, Copy)]
pub(super) struct Sight {
    /// The write that was read.
    pub(super) write: Past,
    pub(super) value: u64,
    /// What its thread had recorded before the head of the release sequence, and its slot; 0 if nothing
    /// synchronizes.
    pub(super) head: (u8, u64),
}

/// Tells the trace where a value came from, if that says something new.
#[inline]
pub(super) fn saw(thread: &mut Thread, sight: &Sight, operation: &Operation, load: Past) {
    let Sight { write, value, head: (head_slot, head_after) } = *sight;
    if write.is_none() || write.thread == thread.number {
        return;
    }
    let acquires = matches!(load.ordering(), Order::Acquire | Order::AcqRel | Order::SeqCst);
    let synchronizes = acquires && head_after != 0;
    if synchronizes {
        tell(thread, Kind::SynchronizesWith, head_slot, head_after, operation);
    }
    // A read-modify-write that does not acquire does not look: a count goes up or down.
    let looks = acquires || load.kind() == AccessKind::AtomicLoad;
    if looks && (!synchronizes || head_after < write.after()) {
        tell(thread, Kind::ReadsFrom, write.slot, write.after(), operation);
    }
    if !write.is_before(&thread.clock) {
        let observed = &mut thread.observed;
        let weak = WeakRead { address: operation.address, size: operation.size, value, store: write, load };
        observed.weak[observed.next_weak % WEAK] = weak;
        observed.next_weak += 1;
    }
}

#[inline]
fn tell(thread: &mut Thread, kind: Kind, slot: u8, after: u64, operation: &Operation) {
    // A thread of which nothing is recorded has no name yet, and would have none.
    if thread.hushed != 0 || thread.seq == 0 {
        return;
    }
    let seen = &mut thread.observed.seen[slot as usize];
    if *seen < after {
        *seen = after;
        let at = At::Code(operation.code);
        recorder::record_at(kind, Mode::None, Flags::NONE, 0, at, after);
    }
}

/// The read by which the thread last learned of what `slot` did in `epoch` or later, if it did not
/// synchronize.
pub(super) fn weak_read(thread: &Thread, slot: usize, epoch: u32) -> Option<WeakRead> {
    let observed = &thread.observed;
    (1..=WEAK.min(observed.next_weak)).find_map(|back| {
        let weak = observed.weak[(observed.next_weak - back) % WEAK];
        let is_after = weak.store.slot as usize == slot && u32::from(weak.store.epoch) >= epoch;
        is_after.then_some(weak)
    })
}

impl WeakRead {
    /// For the trace; the stacks are written to `stored` and `loaded`.
    pub(super) fn tell<'a>(
        &self,
        stored: &'a mut [u64; MAX_STACK],
        loaded: &'a mut [u64; MAX_STACK],
    ) -> memory::WeakRead<&'a [u64]> {
        let (stored_len, loaded_len) = (self.store.place.stack(stored), self.load.place.stack(loaded));
        memory::WeakRead {
            store: access(self.store, self.address, self.size, self.value, &stored[..stored_len]),
            load: access(self.load, self.address, self.size, self.value, &loaded[..loaded_len]),
        }
    }
}

fn index_of(address: usize) -> usize {
    (address >> 2 ^ address >> 8) % LOADS
}

/// A load of an atomic by the calling thread.
#[derive(Clone, Copy)]
pub(super) struct Loaded {
    pub(super) past: Past,
    pub(super) value: u64,
    /// How many writes there had been.
    pub(super) writes: u32,
    /// The last of them, and the value that it left, if the thread learns of it now.
    pub(super) news: Option<(Past, u64)>,
    /// Whether another thread than that one's had read the value before.
    pub(super) was_read: bool,
}

/// Remembers a load.
#[inline]
pub(super) fn loaded(thread: &mut Thread, operation: &Operation, loaded: &Loaded) {
    let Loaded { past, value, writes, news, was_read } = *loaded;
    let place = &mut thread.observed.loads[index_of(operation.address)];
    // That the thread had not read the value before is certain only if its last load is known, or if
    // nobody has.
    let is_first = if place.address == operation.address { place.writes != writes } else { !was_read };
    let before = news.filter(|_| is_first).unwrap_or((Past::NONE, 0));
    let mut calls = [(0, 0); CALLS];
    context::innermost(&mut calls);
    let frame = operation.frame;
    *place = Load { address: operation.address, writes, past, value, before, frame, calls };
}

/// A store that may belong to a load before it.
pub(super) struct Stored {
    load: Load,
    between: Option<(Past, u64)>,
    unread: bool,
}

/// The thread is about to have stored to an atomic, which is still as it was before: what it had loaded
/// from it before, if it stores only. It is forgotten.
#[inline]
pub(super) fn storing(
    thread: &mut Thread,
    operation: &Operation,
    state: &State,
    only: bool,
) -> Option<Stored> {
    let place = &mut thread.observed.loads[index_of(operation.address)];
    if place.address != operation.address {
        return None;
    }
    let load = *place;
    place.address = 0;
    if !only {
        return None;
    }
    let between = (state.writes != load.writes).then_some((state.past[0], state.value));
    Some(Stored { load, between, unread: !state.is_read })
}

/// Tells the trace of a load and a store, if there were not enough of them. To be called without the
/// variable's lock.
#[cold]
#[inline(never)]
pub(super) fn stored(thread: &mut Thread, operation: &Operation, stored: &Stored, past: Past, value: u64) {
    let Stored { load, between, unread } = stored;
    let before = Some(load.before).filter(|(past, _)| !past.is_none());
    // As in `tell`.
    if thread.seq == 0 || !is_wanted(thread, operation, load, [between.is_some(), before.is_some()]) {
        return;
    }
    let mut stacks = [[0_u64; MAX_STACK]; 5];
    let [here, there, middle, first, born] = &mut stacks;
    let first_len = before.map_or(0, |(past, _)| past.place.stack(first));
    let here_len = super::stack_at(operation.code, here);
    let there_len = load.past.place.stack(there);
    let middle_len = between.map_or(0, |(past, _)| past.place.stack(middle));
    let block = block::of(operation.address, born);
    let (address, size) = (operation.address, operation.size);
    let update = Update {
        load: access(load.past, address, size, load.value, &there[..there_len]),
        store: access(past, address, size, value, &here[..here_len]),
        between: between.map(|(past, value)| access(past, address, size, value, &middle[..middle_len])),
        before: before.map(|(past, value)| access(past, address, size, value, &first[..first_len])),
        unread: between.is_some() && *unread,
        same_activation: is_same_activation(load, operation),
        block: Block {
            region: block.region,
            thread: block.thread,
            base: block.base as u64,
            size: block.size as u64,
            stack: &born[..block.stack],
        },
    };
    let payload = memory::update(&update);
    recorder::record_long(Kind::AtomicUpdate, Mode::None, At::Code(operation.code), payload.as_slice());
}

/// Whether there were few enough of these two places in this thread, or of those that have an earlier
/// access of another's like this one.
fn is_wanted(thread: &Thread, operation: &Operation, load: &Load, has: [bool; 2]) -> bool {
    let is_wanted = |kinds: u32| {
        let kinds = thread.number << 3 | kinds;
        sample::is_pair_wanted(place::code_of(operation.code), load.past.place.code(), kinds)
    };
    let all = [(true, 1), (has[0], 2), (has[1], 4)];
    all.into_iter().fold(false, |wanted, (counts, kinds)| (counts && is_wanted(kinds)) || wanted)
}

fn access(past: Past, address: usize, size: usize, value: u64, stack: &[u64]) -> Access<&[u64]> {
    Access {
        thread: past.thread,
        kind: past.kind(),
        ordering: past.ordering(),
        size: size as u32,
        address: address as u64,
        after: past.after(),
        value,
        stack,
    }
}

/// Whether a load and a store stand at most [`CALLS`] calls deep in one call. Without knowing the calls,
/// whether their frames are near each other.
fn is_same_activation(load: &Load, operation: &Operation) -> bool {
    const NEAR: usize = 1 << 10;
    if thread::frames() == 0 {
        return load.frame.abs_diff(operation.frame) < NEAR;
    }
    let mut calls = [(0, 0); CALLS];
    context::innermost(&mut calls);
    calls.iter().any(|call| call.1 != 0 && load.calls.contains(call))
}

/// What an operation is that has read, or written, or both.
pub(super) const fn kind_of(read: bool, written: bool) -> AccessKind {
    match (read, written) {
        (_, false) => AccessKind::AtomicLoad,
        (false, true) => AccessKind::AtomicStore,
        (true, true) => AccessKind::AtomicUpdate,
    }
}

/// Where an atomic operation of the calling thread is made, known to the table of contexts.
#[inline]
pub(super) fn place_of(thread: &mut Thread, code: usize) -> Place {
    let context = context::current();
    if !thread.history.has_noted(context) {
        thread.history.note(context::note_current());
    }
    Place::new(code, context)
}
