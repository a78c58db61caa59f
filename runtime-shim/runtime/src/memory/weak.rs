//! What an atomic may still read: the stores that the C++20 memory model lets a load see, where all
//! executions are explored.
//!
//! Each atomic has a history: its last stores in *modification order*. A load reads the newest store, or an
//! older one, unless a newer one must be visible to it; a store may be ordered before newer ones that need
//! not be before it. Which, is a choice of the scheduler's (`engine::controlled::way`), and so a branch of
//! the search. Read-modify-writes, and compare-exchanges that fail, read the newest store.
//!
//! A store must be visible to a thread that
//! * the store happens before, or a load that read it (coherence, [intro.races] 14 to 17);
//! * is at a sequentially consistent operation, or behind a fence that is, in the ways that
//!   [atomics.order] 4 lists: the store is such an operation itself, or it or a load that read it comes
//!   before such an operation or fence of an earlier place in the total order, which is the order of
//!   execution;
//! * has read it before it last let others run, and a newer one is there: else who waits could wait for ever
//!   ([intro.progress] 18). This is how loom has it, too.
//!
//! Invariant: the newest store is what is in memory. Who goes past the history (a plain write, an atomic that
//! is not instrumented) begins it anew.
//!
//! Bounded, which is told: how often a thread reads the same older store.
//!
//! Known misses: stores of the future (load buffering: an execution is an order in which threads take turns,
//! and no value comes from nowhere); stores older than [`KEPT`]; threads after the first [`THREADS`]; atomics
//! of 128 bits, and those that share some of their bytes with others.

use core::cell::UnsafeCell;

use snag_trace::memory::Ordering;

use super::arena;
use super::clock::Clock;
use super::stored::Stored;
use super::sync_var::Operation;
use super::thread::Thread;
use super::variable::State;
use crate::engine::controlled;
use crate::probe;

/// Stores that are kept of an atomic.
const KEPT: usize = 8;
/// How often a thread reads a store while there is a newer one: else what looks again and again need not come
/// to an end.
const READS: u8 = 3;
/// Threads that are told apart.
const THREADS: usize = 32;
const ATOMICS: usize = 1 << 14;

/// A store. All zero: what was there before the first one, which everybody sees.
#[repr(C)]
struct Store {
    value: u64,
    /// Who made it: slot and epoch.
    slot: u16,
    epoch: u16,
    /// It is a read-modify-write's: nothing comes between it and the store before it.
    is_update: bool,
    /// Its place in the total order, or that of the first operation in it that has read it; 0 if none is.
    turn: u64,
    /// The epoch in which each thread has read it first; 0 if it has not.
    seen: [u16; THREADS],
    /// How often each thread had let others run when it read it last.
    seen_after: [u32; THREADS],
    /// How often each thread has read it while there was a newer one.
    reads: [u8; THREADS],
    /// What who acquires it learns.
    clock: Stored,
}

#[repr(C)]
struct History {
    address: usize,
    count: usize,
    /// How many writes the variable had when the newest store was noted.
    writes: u32,
    stores: [Store; KEPT],
}

/// What is known of sequential consistency and of threads.
struct Order {
    /// Places in the total order that were given.
    turn: u64,
    /// What happened before the last fence of it, of all threads.
    fenced: Clock,
    /// What each thread knew of that at its own last fence.
    seen: [Clock; THREADS],
    /// The place of each thread's last fence.
    turns: [u64; THREADS],
    /// How often each thread has let others run.
    yields: [u32; THREADS],
    histories: [*mut History; ATOMICS],
}

struct Shared(UnsafeCell<Order>);

// SAFETY: only the thread that holds the baton touches it.
unsafe impl Sync for Shared {}

// SAFETY: zeros are a clock, and a null pointer.
static ORDER: Shared = Shared(UnsafeCell::new(unsafe { core::mem::zeroed() }));

/// The order, for the thread that holds the baton, between two points.
fn order() -> &'static mut Order {
    // SAFETY: as above; no caller keeps it while another gets it.
    unsafe { &mut *ORDER.0.get() }
}

/// Whether atomics may read older stores: not within an operation that is one to others.
pub(super) fn is_on(thread: &Thread) -> bool {
    controlled::is_weak() && thread.hushed == 0 && !thread.is_winding_up() && (thread.slot as usize) < THREADS
}

/// What an atomic reads that is not the newest store.
pub(super) struct Older {
    pub(super) value: u64,
    clock: *mut Stored,
}

impl Older {
    /// What who acquires it learns.
    pub(super) fn clock(&mut self, era: u32) -> &[u16] {
        // SAFETY: of a store in a history, which lives for ever; only the thread with the baton uses it.
        unsafe { (*self.clock).entries(era) }
    }
}

/// The history of the atomic at `address`; nothing if there is none and no room for one.
fn history(order: &mut Order, address: usize) -> Option<&'static mut History> {
    let hash = (address as u64 >> 2).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    for step in 0..64 {
        let place = &mut order.histories[probe::slot(hash as usize, step, ATOMICS)];
        if place.is_null() {
            *place = arena::take(size_of::<History>()).cast();
        }
        // SAFETY: null, or zeros from the arena, which are a history, for this place alone.
        let history = unsafe { place.as_mut()? };
        if history.address == 0 {
            history.address = address;
        }
        if history.address == address {
            return Some(history);
        }
    }
    None
}

/// The atomic's history is begun, if `now` is there and it does not end with that.
pub(super) fn prepare(operation: &Operation, state: &mut State, now: u64) {
    if let Some(history) = history(order(), operation.address) {
        history.bring_up(operation, state, now);
    }
}

impl History {
    /// Begins anew if the newest store is not what is there.
    fn bring_up(&mut self, operation: &Operation, state: &mut State, now: u64) {
        let is_newest = self.count > 0
            && self.writes == state.writes
            && state.writes != 0
            && self.stores[self.count - 1].value == now
            && usize::from(state.size) == operation.size;
        let is_untouched =
            self.count == 1 && state.writes == 0 && self.writes == 0 && self.stores[0].value == now;
        if is_newest || is_untouched {
            return;
        }
        self.count = 1;
        self.writes = state.writes;
        let first = &mut self.stores[0];
        first.forget();
        first.value = now;
        if state.writes != 0 && !state.clock.is_empty() {
            let era = super::slots::era();
            first.clock.add_entries(state.clock.entries(era), era);
        }
    }

    /// Position of the newest store that must be visible.
    fn floor(&self, order: &Order, thread: &Thread, is_sequential: bool) -> usize {
        let own = thread.slot as usize;
        let visible = |store: &Store| {
            let fenced = &order.seen[own];
            let knows = |clock: &Clock| {
                let readers = store.seen.iter().enumerate();
                store.epoch <= clock.epoch_of(store.slot.into())
                    || readers
                        .filter(|(_, epoch)| **epoch != 0)
                        .any(|(slot, epoch)| *epoch <= clock.epoch_of(slot))
            };
            store.epoch == 0
                || knows(&thread.clock)
                || knows(fenced)
                || (store.turn != 0 && (is_sequential || store.turn <= order.turns[own]))
                || (is_sequential && knows(&order.fenced))
        };
        (0..self.count).rev().find(|&at| visible(&self.stores[at])).unwrap_or(0)
    }

    /// Makes room at `at`, forgetting the oldest store if need be; gives the position it has then.
    fn make_room(&mut self, at: usize) -> usize {
        let at = if self.count == KEPT {
            self.stores[..at].rotate_left(1);
            at - 1
        } else {
            self.stores[at..=self.count].rotate_right(1);
            self.count += 1;
            at
        };
        self.stores[at].forget();
        at
    }
}

impl Store {
    fn forget(&mut self) {
        (self.value, self.slot, self.epoch, self.is_update, self.turn) = (0, 0, 0, false, 0);
        self.seen = [0; THREADS];
        self.seen_after = [0; THREADS];
        self.reads = [0; THREADS];
        self.clock.clear();
    }
}

/// What a load reads; nothing if it is the newest store, which is `now`.
pub(super) fn load(thread: &Thread, operation: &Operation, state: &mut State, now: u64) -> Option<Older> {
    let order = order();
    let history = history(order, operation.address)?;
    history.bring_up(operation, state, now);
    let is_sequential = operation.ordering == Ordering::SeqCst;
    let own = thread.slot as usize;
    let floor = history.floor(order, thread, is_sequential);
    let newest = history.count - 1;
    let mut ways = [0; KEPT];
    let mut count = 0;
    for at in (floor..=newest).rev() {
        let store = &history.stores[at];
        let was_seen = store.seen[own] != 0 && store.seen_after[own] < order.yields[own];
        let is_worn = store.reads[own] >= READS;
        if at != newest && is_worn {
            controlled::has_bounded();
        }
        if at == newest || !(was_seen || is_worn) {
            ways[count] = at;
            count += 1;
        }
    }
    let at = ways[controlled::way(count)];
    let store = &mut history.stores[at];
    if store.seen[own] == 0 {
        store.seen[own] = thread.epoch as u16;
    }
    store.seen_after[own] = order.yields[own];
    store.reads[own] = store.reads[own].saturating_add(u8::from(at != newest));
    if is_sequential && store.turn == 0 {
        order.turn += 1;
        store.turn = order.turn;
    }
    (at != newest).then_some(Older { value: store.value, clock: &raw mut store.clock })
}

/// Whether a store is ordered before others that were made before: then memory stays as it is, which is
/// `now`. `clock` is what who acquires it learns.
pub(super) fn store(
    thread: &Thread,
    operation: &Operation,
    state: &mut State,
    (now, value): (u64, u64),
    clock: Option<&Clock>,
    era: u32,
) -> bool {
    let order = order();
    let Some(history) = history(order, operation.address) else { return false };
    history.bring_up(operation, state, now);
    let is_sequential = operation.ordering == Ordering::SeqCst;
    let floor = history.floor(order, thread, is_sequential);
    let mut ways = [history.count; KEPT + 1];
    let mut count = 1;
    for at in (floor + 1..history.count).rev() {
        if !history.stores[at].is_update {
            ways[count] = at;
            count += 1;
        }
    }
    let at = ways[controlled::way(count)];
    if at == history.count {
        return false;
    }
    let at = history.make_room(at);
    let store = &mut history.stores[at];
    (store.value, store.slot, store.epoch) = (value, thread.slot as u16, thread.epoch as u16);
    if let Some(clock) = clock {
        store.clock.set(clock, era);
    }
    true
}

/// The operation has written `value`, the newest store; `state` says what who acquires it learns.
pub(super) fn wrote(
    thread: &Thread,
    operation: &Operation,
    state: &mut State,
    (is_update, value): (bool, u64),
    era: u32,
) {
    let order = order();
    let Some(history) = history(order, operation.address).filter(|history| history.count > 0) else { return };
    let at = history.make_room(history.count);
    let store = &mut history.stores[at];
    (store.value, store.slot, store.epoch) = (value, thread.slot as u16, thread.epoch as u16);
    store.is_update = is_update;
    if operation.ordering == Ordering::SeqCst {
        order.turn += 1;
        store.turn = order.turn;
    }
    if !state.clock.is_empty() {
        store.clock.add_entries(state.clock.entries(era), era);
    }
    history.writes = state.writes;
}

/// A sequentially consistent fence of the thread, before it begins a new epoch.
pub(super) fn fence(thread: &Thread) {
    let order = order();
    let own = thread.slot as usize;
    if own >= THREADS {
        return;
    }
    order.fenced.join(thread.clock.entries());
    order.seen[own] = order.fenced.clone();
    order.turn += 1;
    order.turns[own] = order.turn;
}

/// The thread lets others run.
pub(super) fn yields(thread: &Thread) {
    if let Some(yields) = order().yields.get_mut(thread.slot as usize) {
        *yields += 1;
    }
}
