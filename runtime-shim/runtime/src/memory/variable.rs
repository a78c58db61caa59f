//! Sync variables: what is known of the atomics of the program, found by their addresses.
//!
//! A word of the sync plane stands for four bytes of the program's memory. It is 0, or the index of a
//! variable, which leads to the next one that begins in the same four bytes; or its highest bit is set,
//! and the rest is the heap's (see `heap`), which may also stand at the end of such a list.
//!
//! Invariants:
//! * Lists are changed under one lock, and read without it: a variable may be freed, and used for another
//!   address, while somebody looks for it. Whoever has found one takes its lock and looks again whose it
//!   is.
//! * Who holds a variable's lock does not take the lock of the table.
//!
//! Memory that is forgotten by whole pages leaves its variables behind; they are found and freed when the
//! table has doubled.
//!
//! Known misses: from 16 million atomics at once on they share one variable, which orders too much.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};

use snag_trace::memory::{AccessKind, Ordering as Order};

use super::clock::Clock;
use super::layout::{Cell, GRANULE, cells_at, sync_word_at};
use super::lock::{Held, Lock};
use super::place::Place;
use super::stored::Stored;
use super::{kernel, maps, slots};

/// In a word of the sync plane: it is the heap's.
pub(super) const OF_HEAP: u32 = 1 << 31;

/// Accesses that a variable remembers, the last write among them.
pub(super) const PAST: usize = 4;

/// An access to an atomic. All zero: none.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Past {
    /// The recorder's number of its thread.
    pub(super) thread: u32,
    pub(super) epoch: u16,
    pub(super) slot: u8,
    /// [`AccessKind`] in the lower half, [`Order`] in the upper one.
    nature: u8,
    pub(super) place: Place,
    /// The number of the thread's last recorded event, below the access's size in bytes.
    after: u64,
}

/// Sequence numbers are smaller.
const AFTER_BITS: u32 = 48;

impl Past {
    pub(super) const fn new(
        (thread, slot, epoch): (u32, u32, u32),
        (kind, ordering, size): (AccessKind, Order, usize),
        place: Place,
        after: u64,
    ) -> Past {
        let nature = kind as u8 | (ordering as u8) << 4;
        let after = after | (size as u64) << AFTER_BITS;
        Past { thread, epoch: epoch as u16, slot: slot as u8, nature, place, after }
    }

    pub(super) const NONE: Past = Past { thread: 0, epoch: 0, slot: 0, nature: 0, place: Place(0), after: 0 };

    /// As [`snag_trace::memory::Access::after`].
    pub(super) const fn after(self) -> u64 {
        self.after & ((1 << AFTER_BITS) - 1)
    }

    /// In bytes.
    pub(super) const fn size(self) -> usize {
        (self.after >> AFTER_BITS) as usize
    }

    pub(super) fn kind(self) -> AccessKind {
        AccessKind::from_wire(self.nature & 0xf).unwrap_or(AccessKind::AtomicLoad)
    }

    pub(super) fn ordering(self) -> Order {
        Order::from_wire(self.nature >> 4).unwrap_or(Order::Relaxed)
    }

    /// Whether it wrote.
    pub(super) const fn writes(self) -> bool {
        self.nature & 0xf != AccessKind::AtomicLoad as u8
    }

    pub(super) const fn is_none(self) -> bool {
        self.epoch == 0
    }

    /// Whether it is known to happen before what has this clock.
    #[inline]
    pub(super) fn is_before(self, clock: &Clock) -> bool {
        self.epoch <= clock.epoch_of(self.slot as usize)
    }
}

/// What is known of one atomic, under its lock.
#[repr(C)]
pub(super) struct State {
    /// What is learnt by who reads the value that is there with acquire ordering.
    pub(super) clock: Stored,
    /// The last write, and others that it does not stand for.
    pub(super) past: [Past; PAST],
    /// The value that the last write left.
    pub(super) value: u64,
    /// The thread that knows all that is in `clock`; 0 if none does.
    pub(super) knower: u32,
    /// How many writes there were.
    pub(super) writes: u32,
    /// The era of `past`.
    era: u32,
    /// The last write that released: its slot, and what its thread had recorded before it.
    pub(super) head_slot: u8,
    /// Whether another thread than the last writer has read the value.
    pub(super) is_read: bool,
    pub(super) size: u8,
    /// Whether other variables have some of its bytes.
    pub(super) mixed: bool,
    pub(super) head_after: u64,
}

impl State {
    /// Brings it into `era`.
    #[inline]
    pub(super) fn refresh(&mut self, era: u32) {
        if self.era != era {
            self.refresh_slowly(era);
        }
    }

    #[cold]
    fn refresh_slowly(&mut self, era: u32) {
        for past in &mut self.past {
            if slots::is_renewed(past.slot as usize, self.era) {
                *past = Past::NONE;
            }
        }
        self.era = era;
    }

    /// Remembers an access by a thread with this clock.
    #[inline]
    pub(super) fn remember(&mut self, past: Past, clock: &Clock) {
        let write = past.writes();
        if write {
            // The last write stands first; the one before moves on unless this one stands for it.
            let before = core::mem::replace(&mut self.past[0], past);
            if before.is_none() || before.slot == past.slot || before.is_before(clock) {
                return self.drop_covered(past, clock);
            }
            self.drop_covered(past, clock);
            return self.keep(before, clock);
        }
        self.keep(past, clock);
    }

    /// Forgets what a write by a thread with this clock stands for.
    fn drop_covered(&mut self, write: Past, clock: &Clock) {
        for past in &mut self.past[1..] {
            if !past.is_none() && (past.slot == write.slot || past.is_before(clock)) {
                *past = Past::NONE;
            }
        }
    }

    /// Keeps an access that is not the last write.
    fn keep(&mut self, new: Past, clock: &Clock) {
        let mut place = None;
        for (index, past) in self.past.iter().enumerate().skip(1) {
            let same = past.slot == new.slot && past.writes() == new.writes();
            if past.is_none() || same {
                place = Some(index);
                if same {
                    break;
                }
            } else if place.is_none() && !past.writes() && past.is_before(clock) {
                place = Some(index);
            }
        }
        // None to spare: one that is not ordered is forgotten.
        let place = place.unwrap_or(1 + new.epoch as usize % (PAST - 1));
        self.past[place] = new;
    }
}

/// One atomic of the program.
#[repr(C)]
pub(super) struct Variable {
    lock: Lock,
    /// The next of its list, or a word of the heap's.
    next: AtomicU32,
    /// 0 while it is free.
    address: AtomicUsize,
    state: UnsafeCell<State>,
}

// SAFETY: the state is only touched under the lock.
unsafe impl Sync for Variable {}

/// A variable with its lock held.
pub(super) struct Locked<'a> {
    _held: Held<'a>,
    pub(super) state: &'a mut State,
}

const VARIABLES: usize = 1 << 24;
/// The one that those without a place share has index 1; 0 is none.
const SHARED: u32 = 1;

static MEMORY: AtomicPtr<Variable> = AtomicPtr::new(core::ptr::null_mut());
static TABLE: Lock = Lock::new();
/// Index of the last one ever used, of the first free one, and how many at which to look for lost ones.
static LAST: AtomicU32 = AtomicU32::new(SHARED);
static FREE: AtomicU32 = AtomicU32::new(0);
static SWEEP_AT: AtomicU32 = AtomicU32::new(1 << 16);

/// Makes room for variables. False if there is none.
pub(super) fn start() -> bool {
    if MEMORY.load(Ordering::Acquire).is_null() {
        let memory = maps::reserve(VARIABLES * size_of::<Variable>());
        MEMORY.store(memory.cast(), Ordering::Release);
    }
    !MEMORY.load(Ordering::Acquire).is_null()
}

/// The variable with this index.
fn variable(index: u32) -> &'static Variable {
    let memory = MEMORY.load(Ordering::Relaxed);
    // SAFETY: there is memory for so many, zeros are a free variable, and indices come from `create`.
    unsafe { &*memory.add(index as usize % VARIABLES) }
}

/// The word of the sync plane for `address`.
pub(super) fn word(address: usize) -> &'static AtomicU32 {
    let at = core::ptr::with_exposed_provenance::<AtomicU32>(sync_word_at(address));
    // SAFETY: within the sync plane, which is mapped for ever and made of such words.
    unsafe { &*at }
}

const fn is_variable(word: u32) -> bool {
    word != 0 && word & OF_HEAP == 0
}

/// The variable at `address`, and its index.
#[inline]
fn find(address: usize) -> Option<(u32, &'static Variable)> {
    let mut index = word(address).load(Ordering::Acquire);
    let mut steps = 0;
    while is_variable(index) {
        let variable = variable(index);
        if variable.address.load(Ordering::Acquire) == address {
            return Some((index, variable));
        }
        index = variable.next.load(Ordering::Acquire);
        steps += 1;
        // A list has at most four; a longer one was changed under our eyes.
        if steps > 16 {
            return None;
        }
    }
    None
}

impl Variable {
    #[inline]
    fn lock(&'static self) -> Locked<'static> {
        let held = self.lock.lock();
        // SAFETY: locked.
        Locked { _held: held, state: unsafe { &mut *self.state.get() } }
    }
}

/// The variable of the atomic of `size` bytes at `address`, locked.
#[inline]
pub(super) fn lock(address: usize, size: usize) -> Locked<'static> {
    loop {
        let variable = match find(address) {
            Some((_, variable)) => variable,
            None => create(address, size),
        };
        let locked = variable.lock();
        let owner = variable.address.load(Ordering::Relaxed);
        if owner == address || core::ptr::eq(variable, self::variable(SHARED)) {
            if usize::from(locked.state.size) != size {
                locked.state.mixed = true;
                locked.state.size = locked.state.size.max(size as u8);
            }
            return locked;
        }
    }
}

#[cold]
fn create(address: usize, size: usize) -> &'static Variable {
    let _held = TABLE.lock();
    if let Some((_, there)) = find(address) {
        return there;
    }
    let Some(index) = take() else { return variable(SHARED) };
    let new = variable(index);
    {
        let locked = new.lock();
        *locked.state = State {
            clock: Stored::new(),
            past: [Past::NONE; PAST],
            value: 0,
            knower: 0,
            writes: 0,
            era: slots::era(),
            head_slot: 0,
            is_read: false,
            size: size as u8,
            mixed: false,
            head_after: 0,
        };
    }
    let word = word(address);
    new.next.store(word.load(Ordering::Relaxed), Ordering::Relaxed);
    new.address.store(address, Ordering::Release);
    word.store(index, Ordering::Release);
    mark_mixed(address, size, new);
    mark_granules(address, size);
    new
}

/// Says of the granules of an atomic that there is one.
pub(super) fn mark_granules(address: usize, size: usize) {
    for at in (address & !(GRANULE - 1)..address + size).step_by(GRANULE) {
        let cells = core::ptr::with_exposed_provenance_mut::<Cell>(cells_at(at));
        // SAFETY: the last cell of a granule, in the shadow memory; others write there as well, by plain
        // stores that are never torn.
        unsafe {
            let last = cells.add(super::layout::CELLS - 1);
            if last.read_volatile() != Cell::ATOMICS {
                last.write_volatile(Cell::ATOMICS);
            }
        }
    }
}

/// Under the table's lock: notes which variables have bytes in common with a new one.
fn mark_mixed(address: usize, size: usize, new: &'static Variable) {
    let mut mixed = false;
    each_in(address.saturating_sub(15) & !3, address + size, |variable| {
        if core::ptr::eq(variable, new) {
            return;
        }
        let there = variable.address.load(Ordering::Relaxed);
        let other = variable.lock();
        if there < address + size && address < there + usize::from(other.state.size) {
            other.state.mixed = true;
            mixed = true;
        }
    });
    if mixed {
        new.lock().state.mixed = true;
    }
}

/// Does `each` with the variables that begin in this range.
pub(super) fn each_in(from: usize, to: usize, mut each: impl FnMut(&'static Variable)) {
    for at in (from & !3..to).step_by(4) {
        let mut index = word(at).load(Ordering::Acquire);
        let mut steps = 0;
        while is_variable(index) && steps < 16 {
            let variable = variable(index);
            if variable.address.load(Ordering::Acquire) & !3 == at {
                each(variable);
            }
            index = variable.next.load(Ordering::Acquire);
            steps += 1;
        }
    }
}

/// Does `each` with address and state of the variables that have bytes in this range, each locked.
pub(super) fn each_touching(from: usize, to: usize, mut each: impl FnMut(usize, &mut State)) {
    each_in(from.saturating_sub(15), to, |variable| {
        let locked = variable.lock();
        let address = variable.address.load(Ordering::Relaxed);
        if address != 0 && address < to && from < address + usize::from(locked.state.size) {
            each(address, locked.state);
        }
    });
}

/// Under the table's lock: the index of a free variable.
fn take() -> Option<u32> {
    let last = LAST.load(Ordering::Relaxed);
    if FREE.load(Ordering::Relaxed) == 0 && last >= SWEEP_AT.load(Ordering::Relaxed) {
        sweep(last);
    }
    let free = FREE.load(Ordering::Relaxed);
    if free != 0 {
        FREE.store(variable(free).next.load(Ordering::Relaxed), Ordering::Relaxed);
        return Some(free);
    }
    if last as usize + 1 >= VARIABLES || MEMORY.load(Ordering::Relaxed).is_null() {
        return None;
    }
    LAST.store(last + 1, Ordering::Relaxed);
    Some(last + 1)
}

/// Under the table's lock: nobody finds the variable any more.
fn give_back(index: u32) {
    let variable = variable(index);
    {
        let locked = variable.lock();
        variable.address.store(0, Ordering::Relaxed);
        locked.state.clock.release();
    }
    variable.next.store(FREE.load(Ordering::Relaxed), Ordering::Relaxed);
    FREE.store(index, Ordering::Relaxed);
}

/// Under the table's lock: frees the variables that no word leads to.
#[cold]
fn sweep(last: u32) {
    let mut kept = 0;
    for index in SHARED + 1..=last {
        let address = variable(index).address.load(Ordering::Relaxed);
        if address == 0 {
            continue;
        }
        if find(address).is_some_and(|(there, _)| there == index) {
            kept += 1;
        } else {
            give_back(index);
        }
    }
    SWEEP_AT.store((2 * kept).max(1 << 16).max(last / 2), Ordering::Relaxed);
}

/// Forgets the variables, and what the heap has noted, of `len` bytes from `address`, aligned to 4.
#[inline]
pub(super) fn forget(address: usize, len: usize) {
    const MANY: usize = 64 * kernel::PAGE;
    if len < MANY {
        return forget_each(address, len);
    }
    // Pages of the plane that nobody ever wrote to are not to be made by looking at them.
    let mut at = address;
    while at < address + len {
        let mut there = [1; MANY / kernel::PAGE];
        kernel::find_resident(sync_word_at(at) & !(kernel::PAGE - 1), &mut there);
        for there in there {
            let next = ((at & !(kernel::PAGE - 1)) + kernel::PAGE).min(address + len);
            if there & 1 != 0 {
                forget_each(at, next - at);
            }
            at = next;
        }
    }
}

fn forget_each(address: usize, len: usize) {
    use core::arch::x86_64::{_mm_cmpeq_epi32, _mm_loadu_si128, _mm_movemask_epi8, _mm_setzero_si128};
    let mut at = address;
    let end = address + len;
    while at + 16 <= end {
        // SAFETY: within the sync plane: four words of it.
        let words = unsafe {
            let four = _mm_loadu_si128(core::ptr::with_exposed_provenance(sync_word_at(at)));
            _mm_movemask_epi8(_mm_cmpeq_epi32(four, _mm_setzero_si128()))
        };
        if words != 0xffff {
            for at in (at..at + 16).step_by(4) {
                forget_word(at);
            }
        }
        at += 16;
    }
    while at < end {
        forget_word(at);
        at += 4;
    }
}

fn forget_word(address: usize) {
    let word = word(address);
    let there = word.load(Ordering::Relaxed);
    if !is_variable(there) {
        if there != 0 {
            word.store(0, Ordering::Relaxed);
        }
        return;
    }
    let _held = TABLE.lock();
    let mut index = word.swap(0, Ordering::AcqRel);
    while is_variable(index) {
        let next = variable(index).next.load(Ordering::Relaxed);
        give_back(index);
        index = next;
    }
}

/// What the heap has noted at `address`, without [`OF_HEAP`]; 0 if nothing.
pub(super) fn note_at(address: usize) -> u32 {
    let mut index = word(address).load(Ordering::Acquire);
    let mut steps = 0;
    while is_variable(index) && steps < 16 {
        index = variable(index).next.load(Ordering::Acquire);
        steps += 1;
    }
    if index & OF_HEAP == 0 { 0 } else { index & !OF_HEAP }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past(thread: u32, slot: u32, epoch: u32, kind: AccessKind) -> Past {
        Past::new((thread, slot, epoch), (kind, Order::Relaxed, 8), Place(7), 0)
    }

    fn state() -> State {
        // SAFETY: zeros are a state.
        unsafe { core::mem::zeroed() }
    }

    fn kept(state: &State) -> Vec<(u8, u16, bool)> {
        let mut kept: Vec<_> = state
            .past
            .iter()
            .filter(|past| !past.is_none())
            .map(|past| (past.slot, past.epoch, past.writes()))
            .collect();
        kept.sort_unstable();
        kept
    }

    #[test]
    fn a_past_access_says_what_it_was_made_of() {
        let what = (AccessKind::AtomicUpdate, Order::SeqCst, 16);
        let past = Past::new((9, 200, 0x7ffe), what, Place(3), 4);
        assert_eq!((past.size(), past.after()), (16, 4));
        assert_eq!((past.thread, past.slot, past.epoch), (9, 200, 0x7ffe));
        assert_eq!(
            (past.kind(), past.ordering(), past.writes()),
            (AccessKind::AtomicUpdate, Order::SeqCst, true)
        );
    }

    #[test]
    fn a_write_stands_for_what_is_ordered_before_it_and_a_read_not_for_a_write() {
        let mut state = state();
        let mut clock = Clock::ZERO;
        state.remember(past(1, 1, 5, AccessKind::AtomicStore), &clock);
        state.remember(past(2, 2, 3, AccessKind::AtomicLoad), &clock);
        clock.set(1, 5);
        state.remember(past(3, 3, 4, AccessKind::AtomicLoad), &clock);
        assert_eq!(kept(&state), [(1, 5, true), (2, 3, false), (3, 4, false)]);
        state.remember(past(4, 4, 1, AccessKind::AtomicStore), &clock);
        assert_eq!(kept(&state), [(2, 3, false), (3, 4, false), (4, 1, true)]);
        clock.set(2, 3);
        clock.set(3, 4);
        clock.set(4, 1);
        state.remember(past(5, 5, 1, AccessKind::AtomicUpdate), &clock);
        assert_eq!(kept(&state), [(5, 1, true)]);
    }

    #[test]
    fn writes_that_nothing_orders_are_kept_side_by_side() {
        let mut state = state();
        for slot in 1..=3 {
            state.remember(past(slot, slot, 2, AccessKind::AtomicStore), &Clock::ZERO);
        }
        assert_eq!(kept(&state), [(1, 2, true), (2, 2, true), (3, 2, true)]);
    }

    #[test]
    fn the_last_write_is_first() {
        let mut state = state();
        state.remember(past(1, 1, 2, AccessKind::AtomicStore), &Clock::ZERO);
        state.remember(past(2, 2, 2, AccessKind::AtomicUpdate), &Clock::ZERO);
        state.remember(past(3, 3, 2, AccessKind::AtomicLoad), &Clock::ZERO);
        assert_eq!(state.past[0].thread, 2);
    }
}
