//! Atomics and fences: what each operation does to the clocks.
//!
//! Invariants, C++20's [intro.races] and [atomics.fences]:
//! * A store that releases begins a release sequence; read-modify-writes by any thread continue it, and
//!   any other store ends it. Who reads a value of the sequence with acquire ordering synchronizes with
//!   its head, and with the heads of the sequences that read-modify-writes in it begin.
//! * A relaxed store after a release fence releases what the fence's thread knew at the fence, and an
//!   acquire fence acquires what relaxed reads before it have read. A fence that is sequentially
//!   consistent is both.
//! * What the program's operation reads and writes and what is noted of it are one step, under the
//!   variable's lock.
//! * Atomics do not race with each other, unless they have some bytes in common and not all; they race
//!   with plain accesses.
//!
//! Operations of a thread in an ignore region, and of one that a signal interrupted within the layer, are
//! only done.

use snag_trace::memory::{AccessKind, Ordering};

use super::layout::{CELLS, Cell, GRANULE, cells_at, mask_of};
use super::lock::Lock;
use super::observed::{self, Sight, kind_of, place_of};
use super::thread::{self, Thread};
use super::variable::{self, Locked, PAST, Past};
use super::verdict::{self, Earlier, Now};
#[cfg(snag_explore)]
use super::weak;
use super::word::Word;
use super::{access, sample, shared, slots};

/// An atomic operation of the program, about to be done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operation {
    pub(super) address: usize,
    /// In bytes.
    pub(super) size: usize,
    /// What it does if it succeeds.
    pub(super) kind: AccessKind,
    pub(super) ordering: Ordering,
    /// Of a compare-exchange that fails; else the same.
    pub(super) failure: Ordering,
    /// Return address into the program.
    pub(super) code: usize,
    /// Where that stands on the stack.
    pub(super) frame: usize,
    /// What a store writes; 0 of others, and of 128 bits.
    #[cfg(snag_explore)]
    pub(super) operand: u64,
}

/// What came of one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome<W> {
    result: W,
    read: Option<W>,
    written: Option<W>,
}

impl<W: Word> Outcome<W> {
    /// Only read.
    pub(super) fn read(there: W) -> Outcome<W> {
        Outcome { result: there, read: Some(there), written: None }
    }

    /// Only wrote.
    pub(super) fn written(value: W) -> Outcome<W> {
        Outcome { result: value, read: None, written: Some(value) }
    }

    /// Read `there` and wrote `value`, at once.
    pub(super) fn updated(there: W, value: W) -> Outcome<W> {
        Outcome { result: there, read: Some(there), written: Some(value) }
    }
}

const fn acquires(ordering: Ordering) -> bool {
    matches!(ordering, Ordering::Acquire | Ordering::AcqRel | Ordering::SeqCst)
}

const fn releases(ordering: Ordering) -> bool {
    matches!(ordering, Ordering::Release | Ordering::AcqRel | Ordering::SeqCst)
}

/// Bytes between a lock's tag and its word.
const NEAR: usize = 128;

/// Does an operation, by `effect`, with what it means for the clocks.
#[inline]
pub(super) fn perform<W: Word>(operation: &Operation, effect: impl FnOnce() -> Outcome<W>) -> W {
    if thread::current().is_null() {
        return effect().result;
    }
    #[cfg(snag_explore)]
    before(operation);
    let Some((thread, variable)) = begin(operation) else { return effect().result };
    #[cfg(snag_explore)]
    let variable = match older(thread, operation, variable) {
        Ok(value) => return W::from_bits(value),
        Err(variable) => variable,
    };
    let begun = if sample::is_unusual() { shared::begins_atomic(operation.address) } else { None };
    let outcome = effect();
    #[cfg(snag_explore)]
    crate::engine::controlled::did(
        operation.address,
        outcome.read.map(W::bits),
        outcome.written.map(W::bits),
    );
    let (read, written) = (outcome.read.map(W::bits), outcome.written.map(W::bits));
    if let Some(begun) = begun {
        shared::did_atomic(thread, begun, operation, read, written);
    }
    finish(thread, operation, variable, read, written);
    outcome.result
}

/// Atomics within one operation of a lock of another crate, after which it is taken to spin.
#[cfg(snag_explore)]
const SPINS: u32 = 64;

/// Another thread may run first, unless this one is within an operation that is one to others: the lock of
/// a crate that the facade speaks for is one step, not the atomics that it is made of. Where it spins,
/// others are let run. What std does between a thread's code and its thread-local destructors is no step of
/// its own either: those who wait for the thread's end wait for it in other ways.
#[cfg(snag_explore)]
fn before(operation: &Operation) {
    use crate::engine::What;
    // SAFETY: the calling thread's, not null; only it uses it.
    let thread = unsafe { &mut *thread::current() };
    if thread.busy || thread.ignore != 0 || thread.is_winding_up() {
        return;
    }
    if thread.hushed != 0 {
        thread.hushed_atomics += 1;
        if thread.hushed_atomics % SPINS == 0 {
            crate::engine::yields(None);
        }
        return;
    }
    thread.hushed_atomics = 0;
    crate::engine::point(crate::engine::Operation {
        what: match operation.kind {
            AccessKind::AtomicLoad => What::Load,
            AccessKind::AtomicStore => What::Store,
            _ => What::Update,
        },
        writes: operation.kind != AccessKind::AtomicLoad,
        yields: false,
        spot: 0,
        object: operation.address,
        place: crate::engine::in_code(operation.code),
    });
}

/// Does a load or a store that is not about the newest store, if that may be and the search will have it:
/// gives the value, else the variable back.
#[cfg(snag_explore)]
fn older(
    thread: &mut Thread,
    operation: &Operation,
    variable: Locked<'static>,
) -> Result<u64, Locked<'static>> {
    if !weak::is_on(thread) || operation.size > GRANULE || variable.state.mixed {
        return Err(variable);
    }
    let era = thread.era;
    let state = &mut *variable.state;
    // SAFETY: the program's own atomic.
    let now = unsafe { super::word::value_at(operation.address, operation.size) };
    let value = match operation.kind {
        AccessKind::AtomicLoad => match weak::load(thread, operation, state, now) {
            None => return Err(variable),
            Some(mut older) => {
                if acquires(operation.ordering) {
                    thread.clock.join(older.clock(era));
                } else {
                    thread.unacquired.join(older.clock(era));
                    thread.has_unacquired = true;
                }
                older.value
            }
        },
        AccessKind::AtomicStore => {
            let gives = releases(operation.ordering);
            let clock = if gives { Some(&thread.clock) } else { thread.has_fenced.then_some(&thread.fenced) };
            if !weak::store(thread, operation, state, (now, operation.operand), clock, era) {
                return Err(variable);
            }
            operation.operand
        }
        _ => {
            weak::prepare(operation, state, now);
            return Err(variable);
        }
    };
    let is_written = operation.kind == AccessKind::AtomicStore;
    let (read, written) = if is_written { (None, Some(value)) } else { (Some(value), None) };
    crate::engine::controlled::did(operation.address, read, written);
    let what = (kind_of(!is_written, is_written), operation.ordering, operation.size);
    let place = place_of(thread, operation.code);
    let past = Past::new((thread.number, thread.slot, thread.epoch), what, place, thread.seq);
    settle(thread, operation, variable, past, (value, is_written));
    if is_written && releases(operation.ordering) {
        slots::advance(thread);
    }
    core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
    thread.busy = false;
    Ok(value)
}

/// Remembers an access, and tells of those that it races with.
fn settle(
    thread: &mut Thread,
    operation: &Operation,
    variable: Locked<'static>,
    past: Past,
    (value, is_written): (u64, bool),
) {
    variable.state.remember(past, &thread.clock);
    variable::mark_granules(operation.address, operation.size);
    // Before the lock is given back: who then reads what was written here may use the memory for
    // something else at once.
    let unordered =
        has_unordered(thread, operation, is_written).then(|| unordered(thread, operation, is_written));
    drop(variable);
    if let Some(unordered) = unordered {
        tell_races(thread, operation, past, value, &unordered);
    }
}

/// The calling thread and the variable, if they are to be followed.
#[inline(never)]
fn begin(operation: &Operation) -> Option<(&'static mut Thread, Locked<'static>)> {
    // SAFETY: the calling thread's, not null; only it uses it.
    let thread = unsafe { &mut *thread::current() };
    if thread.busy {
        return None;
    }
    thread.busy = true;
    core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
    slots::notice(thread);
    if thread.ignore != 0 {
        thread.busy = false;
        return None;
    }
    thread.syncs += 1;
    let mut variable = variable::lock(operation.address, operation.size);
    let era = slots::era();
    slots::refresh(thread, era);
    variable.state.refresh(era);
    if variable.state.mixed {
        drop(variable);
        variable = lock_mixed(thread, operation, era);
    }
    Some((thread, variable))
}

#[inline(never)]
fn finish(
    thread: &mut Thread,
    operation: &Operation,
    variable: Locked<'static>,
    read: Option<u64>,
    written: Option<u64>,
) {
    let era = thread.era;
    let (is_read, is_written) = (read.is_some(), written.is_some());
    let ordering = if is_read && !is_written { operation.failure } else { operation.ordering };
    let state = &mut *variable.state;
    let sight = Sight { write: state.past[0], value: state.value, head: (state.head_slot, state.head_after) };
    let sees_new = is_read && !sight.write.is_none() && sight.write.thread != thread.number;
    let head = if state.clock.is_empty() { (0, 0) } else { sight.head };
    let is_new_to_thread = sees_new && !sight.write.is_before(&thread.clock);
    let was_read = state.is_read;
    if let Some(value) = read {
        if state.writes != 0 && value != state.value && operation.size <= GRANULE {
            surprised(thread, operation, acquires(ordering));
        }
        state.is_read |= sees_new;
        learn(thread, state, acquires(ordering), era);
    }
    let kind = kind_of(is_read, is_written);
    let place = place_of(thread, operation.code);
    let what = (kind, ordering, operation.size);
    let past = Past::new((thread.number, thread.slot, thread.epoch), what, place, thread.seq);
    let mut stored = None;
    let mut advances = false;
    if let Some(value) = written {
        stored = observed::storing(thread, operation, state, !is_read);
        if thread.quiet == 0 || thread.quiet.abs_diff(operation.address) > NEAR {
            advances = give(thread, state, is_read, releases(ordering), era);
        }
        state.value = value;
        state.writes = state.writes.wrapping_add(1);
        state.is_read = false;
    }
    let writes = state.writes;
    let value = written.or(read).unwrap_or(0);
    #[cfg(snag_explore)]
    if is_written && weak::is_on(thread) {
        weak::wrote(thread, operation, state, (is_read, value), era);
    }
    settle(thread, operation, variable, past, (value, is_written));
    // Also where the clock knows the write: a clock may know too much, and the trace must not lose an order.
    if sees_new {
        observed::saw(thread, &Sight { head, ..sight }, operation, past);
    }
    if !is_written {
        let news = is_new_to_thread.then_some((sight.write, sight.value));
        let loaded = observed::Loaded { past, value, writes, news, was_read };
        observed::loaded(thread, operation, &loaded);
    }
    if let Some(stored) = stored {
        observed::stored(thread, operation, &stored, past, value);
    }
    if advances {
        slots::advance(thread);
    }
    core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
    thread.busy = false;
}

/// The thread has read the value.
#[inline]
fn learn(thread: &mut Thread, state: &mut variable::State, acquires: bool, era: u32) {
    if state.clock.is_empty() || state.knower == thread.number {
        return;
    }
    if acquires {
        thread.clock.join(state.clock.entries(era));
        state.knower = thread.number;
    } else {
        thread.unacquired.join(state.clock.entries(era));
        thread.has_unacquired = true;
    }
}

/// The thread has read what nobody is known to have written: an atomic operation that the pass leaves alone
/// (`fetch_max` and its like), or code that it has not seen. Whoever it was, the thread may have
/// synchronized with it: it learns all that was done up to now. A plain write that is known explains it.
#[cold]
#[inline(never)]
fn surprised(thread: &mut Thread, operation: &Operation, acquires: bool) {
    let cells = core::ptr::with_exposed_provenance::<Cell>(cells_at(operation.address));
    for index in 0..CELLS {
        // SAFETY: one of the granule's cells; others write there by plain stores that are never torn.
        let cell = unsafe { cells.add(index).read_volatile() };
        if !cell.is_empty()
            && !cell.is_read()
            && cell.mask() & mask_of(operation.address, operation.size) != 0
        {
            return;
        }
    }
    if acquires {
        slots::learn_all(&mut thread.clock);
    } else {
        slots::learn_all(&mut thread.unacquired);
        thread.has_unacquired = true;
    }
}

/// The thread writes the value; `continues` if it has read the one before in the same step. Gives whether
/// it must begin a new epoch.
#[inline]
fn give(thread: &mut Thread, state: &mut variable::State, continues: bool, releases: bool, era: u32) -> bool {
    if releases {
        (state.head_slot, state.head_after) = (thread.slot as u8, thread.seq);
    } else if thread.has_fenced {
        (state.head_slot, state.head_after) = (thread.slot as u8, thread.fenced_after);
    }
    if releases {
        if continues && state.knower != thread.number {
            state.clock.add(&thread.clock, era);
            state.knower = 0;
        } else {
            // It knows all that is there, or ends the sequence.
            state.clock.set(&thread.clock, era);
            state.knower = thread.number;
        }
        return true;
    }
    match (thread.has_fenced, continues) {
        (true, true) => {
            state.clock.add(&thread.fenced, era);
            if state.knower != thread.number {
                state.knower = 0;
            }
        }
        (true, false) => {
            state.clock.set(&thread.fenced, era);
            state.knower = thread.number;
        }
        (false, false) => state.clock.clear(),
        (false, true) => {}
    }
    false
}

/// Plain accesses of others, each with its granule's address; empty ones behind the last.
type Unordered = [(Cell, usize); 2 * CELLS];

/// Whether there are plain accesses of others that nothing orders before this atomic one.
#[inline]
fn has_unordered(thread: &mut Thread, operation: &Operation, writes: bool) -> bool {
    let mut any = false;
    // SAFETY: the calling thread's own.
    unsafe {
        access::plain_races(thread, operation.address, operation.size, writes, |cell, _| {
            any |= cell != Cell::ATOMICS;
        });
    }
    any
}

/// All of them.
#[cold]
#[inline(never)]
fn unordered(thread: &mut Thread, operation: &Operation, writes: bool) -> Unordered {
    let mut met = [(Cell::EMPTY, 0); 2 * CELLS];
    let mut count = 0;
    // SAFETY: the calling thread's own.
    unsafe {
        access::plain_races(thread, operation.address, operation.size, writes, |cell, at| {
            if cell != Cell::ATOMICS && count < met.len() {
                met[count] = (cell, at);
                count += 1;
            }
        });
    }
    met
}

#[cold]
#[inline(never)]
fn tell_races(thread: &mut Thread, operation: &Operation, past: Past, value: u64, met: &Unordered) {
    let now = Now {
        address: operation.address,
        size: operation.size,
        kind: past.kind(),
        ordering: past.ordering(),
        value,
        pc: operation.code,
        past: None,
    };
    for &(cell, at) in met.iter().take_while(|(cell, _)| !cell.is_empty()) {
        // SAFETY: the calling thread's own.
        unsafe { verdict::race_with_cell(thread, &now, cell, at) };
    }
}

/// One at a time locks more than one variable.
static MIXED: Lock = Lock::new();

/// The variable of an atomic that has bytes in common with others: those are learnt from first.
#[cold]
#[inline(never)]
fn lock_mixed(thread: &mut Thread, operation: &Operation, era: u32) -> Locked<'static> {
    let _one = MIXED.lock();
    let mut met = [(Past::NONE, 0); 4 * PAST];
    let mut count = 0;
    let Operation { address, size, .. } = *operation;
    variable::each_touching(address, address + size, |there, state| {
        state.refresh(era);
        if operation.kind != AccessKind::AtomicStore {
            learn(thread, state, acquires(operation.ordering), era);
        }
        for past in state.past {
            let overlaps = there < address + size && address < there + past.size();
            let same = (there, past.size()) == (address, size);
            if !past.is_none() && overlaps && !same && count < met.len() {
                met[count] = (past, there);
                count += 1;
            }
        }
    });
    for (past, there) in met.into_iter().take(count) {
        let conflicts = past.writes() || operation.kind != AccessKind::AtomicLoad;
        if conflicts && past.thread != thread.number && !past.is_before(&thread.clock) {
            let now = Now {
                address,
                size: operation.size,
                kind: operation.kind,
                ordering: operation.ordering,
                value: 0,
                pc: operation.code,
                past: None,
            };
            // SAFETY: the calling thread's own.
            unsafe { verdict::race(thread, &now, &earlier(past, there, 0)) };
        }
    }
    let variable = variable::lock(address, size);
    variable.state.refresh(era);
    variable
}

fn earlier(past: Past, address: usize, value: u64) -> Earlier {
    Earlier {
        thread: past.thread,
        slot: past.slot.into(),
        epoch: past.epoch.into(),
        address,
        size: past.size(),
        kind: past.kind(),
        ordering: past.ordering(),
        value,
        after: past.after(),
        place: past.place,
    }
}

/// The bytes of a granule that `size` bytes from `address` have.
fn bytes_of(address: usize, size: usize, granule: usize) -> u32 {
    let bytes = (0..GRANULE).filter(|byte| (address..address + size).contains(&(granule + byte)));
    bytes.fold(0, |bits, byte| bits | 1 << byte)
}

/// The atomic accesses in the granule of `address` that conflict with a plain access by the calling thread
/// to the bytes of `mask`, and that nothing orders before it.
#[cold]
#[inline(never)]
pub(super) fn atomic_races(address: usize, mask: u32, write: bool) -> [Option<Earlier>; 2 * PAST] {
    let mut found = [None; 2 * PAST];
    let mut count = 0;
    super::enter((), |thread| {
        let granule = address & !(GRANULE - 1);
        variable::each_touching(granule, granule + GRANULE, |there, state| {
            state.refresh(thread.era);
            for (index, past) in state.past.into_iter().enumerate() {
                let conflicts = !past.is_none()
                    && (write || past.writes())
                    && bytes_of(there, past.size(), granule) & mask != 0;
                let other = past.thread != thread.number && u32::from(past.slot) != thread.slot;
                if conflicts && other && !past.is_before(&thread.clock) && count < found.len() {
                    let value = if index == 0 && past.writes() { state.value } else { 0 };
                    found[count] = Some(earlier(past, there, value));
                    count += 1;
                }
            }
        });
    });
    found
}

/// A fence, which the processor has made already.
pub(super) fn fence(ordering: Ordering) {
    #[cfg(snag_explore)]
    if ordering == Ordering::SeqCst && crate::engine::controlled::is_weak() && !thread::current().is_null() {
        before_fence();
    }
    super::enter((), |thread| {
        slots::notice(thread);
        if thread.ignore == 0 {
            slots::refresh(thread, slots::era());
            fenced(thread, ordering);
            thread.syncs += 1;
            if sample::is_unusual() {
                shared::fence(thread, ordering);
            }
        }
    });
}

/// Fences that are sequentially consistent come in an order.
#[cfg(snag_explore)]
fn before_fence() {
    static FENCES: u8 = 0;
    // SAFETY: the calling thread's, not null; only it uses it.
    let thread = unsafe { &*thread::current() };
    if !thread.busy && thread.ignore == 0 && thread.hushed == 0 {
        crate::engine::point(crate::engine::Operation {
            what: crate::engine::What::Fence,
            writes: true,
            yields: false,
            spot: 0,
            object: (&raw const FENCES).addr(),
            place: 0,
        });
    }
}

fn fenced(thread: &mut Thread, ordering: Ordering) {
    #[cfg(snag_explore)]
    if ordering == Ordering::SeqCst && weak::is_on(thread) {
        weak::fence(thread);
    }
    if acquires(ordering) && thread.has_unacquired {
        let unacquired = thread.unacquired.clone();
        thread.clock.join(unacquired.entries());
    }
    if releases(ordering) {
        thread.fenced = thread.clock.clone();
        thread.has_fenced = true;
        thread.fenced_after = thread.seq;
        slots::advance(thread);
    }
}

#[cfg(test)]
mod tests {
    use super::super::lifetime::{alone, test_thread};
    use super::super::variable::State;
    use super::*;
    use Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};

    /// An atomic of a test.
    struct Atomic(Box<State>);

    impl Atomic {
        fn new() -> Atomic {
            // SAFETY: zeros are a state.
            Atomic(unsafe { Box::new(core::mem::zeroed()) })
        }

        fn load(&mut self, thread: &mut Thread, ordering: Ordering) {
            learn(thread, &mut self.0, acquires(ordering), slots::era());
        }

        fn store(&mut self, thread: &mut Thread, ordering: Ordering) {
            if give(thread, &mut self.0, false, releases(ordering), slots::era()) {
                slots::advance(thread);
            }
        }

        fn update(&mut self, thread: &mut Thread, ordering: Ordering) {
            learn(thread, &mut self.0, acquires(ordering), slots::era());
            if give(thread, &mut self.0, true, releases(ordering), slots::era()) {
                slots::advance(thread);
            }
        }
    }

    /// Whether what `other` did in this epoch happened before.
    fn knows(thread: &Thread, other: &Thread, epoch: u32) -> bool {
        u32::from(thread.clock.epoch_of(other.slot as usize)) >= epoch
    }

    /// Three threads, and their end.
    fn threads(test: impl FnOnce(&mut Thread, &mut Thread, &mut Thread)) {
        let _alone = alone();
        let mut threads = [1, 2, 3].map(|number| test_thread(60_000 + number));
        let [one, two, three] = &mut threads;
        test(one, two, three);
        for thread in &mut threads {
            slots::leave(thread);
        }
    }

    #[test]
    fn only_a_release_that_is_acquired_synchronizes() {
        let orderings = [(Release, Acquire, true), (Release, Relaxed, false), (Relaxed, Acquire, false)];
        for (store, load, synchronizes) in orderings.into_iter().chain([(SeqCst, SeqCst, true)]) {
            threads(|one, two, _| {
                let (mut atomic, before) = (Atomic::new(), one.epoch);
                atomic.store(one, store);
                atomic.load(two, load);
                assert_eq!(knows(two, one, before), synchronizes, "{store:?} {load:?}");
                assert!(!knows(two, one, before + 1));
            });
        }
    }

    #[test]
    fn updates_continue_a_release_sequence_and_stores_end_it() {
        threads(|one, two, three| {
            let (mut atomic, before) = (Atomic::new(), one.epoch);
            atomic.store(one, Release);
            atomic.update(two, Relaxed);
            atomic.load(three, Acquire);
            assert!(knows(three, one, before) && !knows(two, one, before));
        });
        for ordering in [Relaxed, Release] {
            threads(|one, two, three| {
                let (mut atomic, before) = (Atomic::new(), one.epoch);
                atomic.store(one, Release);
                atomic.store(two, ordering);
                atomic.load(three, Acquire);
                assert!(!knows(three, one, before));
                let mut own = Atomic::new();
                own.store(one, Release);
                own.store(one, Relaxed);
                own.load(three, Acquire);
                assert!(!knows(three, one, before), "C++20: not even its own thread's");
            });
        }
    }

    #[test]
    fn who_updates_with_release_adds_to_what_is_there() {
        threads(|one, two, three| {
            let (mut atomic, first, second) = (Atomic::new(), one.epoch, two.epoch);
            atomic.update(one, Release);
            atomic.update(two, Release);
            assert!(!knows(two, one, first));
            atomic.update(three, AcqRel);
            assert!(knows(three, one, first) && knows(three, two, second));
        });
    }

    #[test]
    fn fences_lend_their_orderings_to_relaxed_operations() {
        threads(|one, two, _| {
            let (mut atomic, before) = (Atomic::new(), one.epoch);
            fenced(one, Release);
            let after = one.epoch;
            atomic.store(one, Relaxed);
            atomic.load(two, Relaxed);
            assert!(!knows(two, one, before));
            fenced(two, Acquire);
            assert!(knows(two, one, before) && !knows(two, one, after));
        });
        threads(|one, two, _| {
            let (mut atomic, before) = (Atomic::new(), one.epoch);
            fenced(one, Acquire);
            atomic.store(one, Relaxed);
            fenced(two, Acquire);
            atomic.load(two, Acquire);
            assert!(!knows(two, one, before), "neither fence releases, nor comes after the load");
        });
        threads(|one, two, _| {
            let (mut atomic, before) = (Atomic::new(), one.epoch);
            fenced(one, SeqCst);
            atomic.update(one, Relaxed);
            atomic.load(two, Relaxed);
            fenced(two, SeqCst);
            assert!(knows(two, one, before));
        });
    }

    #[test]
    fn what_a_thread_knows_already_it_need_not_learn_again() {
        threads(|one, two, three| {
            let mut atomic = Atomic::new();
            let first = one.epoch;
            atomic.store(one, Release);
            atomic.update(two, AcqRel);
            let second = two.epoch;
            atomic.update(two, AcqRel);
            atomic.update(one, Release);
            assert_eq!(atomic.0.knower, 0, "one does not know what two has added");
            atomic.load(three, Acquire);
            assert!(knows(three, one, first) && knows(three, two, second));
            assert!(!knows(one, two, second));
        });
    }
}
