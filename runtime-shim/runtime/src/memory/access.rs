//! Plain accesses: the way of one that its granule does not show already.
//!
//! The fast paths, in [`super::abi`], return where a cell of the granule says that the calling thread did
//! the same in its present epoch. What comes here is compared with what others did, remembered in the
//! history and written into a cell.
//!
//! Invariants:
//! * A granule is written as a whole, by one store of 16 bytes, from which the next fast path's load can be
//!   forwarded. What another thread writes there in the same instant is lost, so that a race may be
//!   missed; what it wrote before may come back, which is as true as it was. Not so after shadow memory
//!   was cleared because slots change hands: then the granule is emptied, see [`CLEARED`]. The clearing
//!   thread counts first and then drops the pages, by which the kernel interrupts all others: a store
//!   before that goes with the page, and after one behind it the new count is seen.
//! * The event goes into the history before its cell is written.
//! * Nothing happens for a thread that is not followed or that is in an ignore region.

use core::arch::x86_64::{__m128i, _mm_cvtsi64_si128, _mm_load_si128, _mm_set_epi32, _mm_store_si128};
use core::sync::atomic::{AtomicU64, Ordering, compiler_fence};

use snag_trace::{Flags, Kind, Mode};

use super::cells;
use super::event::{Event, Nature};
use super::layout::{CELLS, CLEARED, Cell, GRANULE, cells_at, mask_of};
use super::place::{self, Place};
use super::thread::{self, Thread};
use super::{context, counts, review, sample, shared, slots, verdict};
use crate::recorder;

/// The calling thread's cell for an access to all bytes, as the fast paths compare it.
#[inline(always)]
pub(super) fn key<const WRITE: bool>() -> Cell {
    if WRITE { thread::key_write() } else { thread::key_read() }
}

/// The cell of an access by `thread` now.
///
/// # Safety
/// `thread` is the calling thread's.
#[inline(always)]
pub(super) unsafe fn cell_of<const WRITE: bool>(thread: *mut Thread, mask: u32) -> Cell {
    // SAFETY: the caller's promise.
    let (slot, epoch) = unsafe { ((*thread).slot, (*thread).epoch) };
    Cell::new(mask, slot, epoch, !WRITE)
}

/// # Safety
/// `cells` is a granule's place in the shadow memory.
#[inline(always)]
pub(super) unsafe fn load(cells: *const Cell) -> (u64, u64) {
    let halves = cells.cast::<u64>();
    // SAFETY: mapped and aligned. Other threads write there as well, by plain stores that are never torn
    // within a cell; volatile, so that each is read once.
    unsafe { (halves.read_volatile(), halves.add(1).read_volatile()) }
}

fn granule((low, high): (u64, u64)) -> [Cell; CELLS] {
    [low, low >> 32, high, high >> 32].map(|cell| Cell(cell as u32))
}

/// A granule of two cells.
#[inline(always)]
pub(super) fn both(first: Cell, second: Cell) -> __m128i {
    let low = u64::from(first.0) | u64::from(second.0) << 32;
    // SAFETY: SSE2 is part of x86-64.
    unsafe { _mm_cvtsi64_si128(low.cast_signed()) }
}

/// # Safety
/// As [`load`].
#[inline(always)]
pub(super) unsafe fn store_all(cells: *mut Cell, first: Cell, second: Cell) {
    // SAFETY: mapped and aligned to 16; see `load`.
    unsafe { _mm_store_si128(cells.cast(), both(first, second)) };
}

/// Whether the calling thread did this to the bytes of `mask` in its present epoch.
///
/// # Safety
/// As [`load`].
#[inline(always)]
pub(super) unsafe fn is_known(cells: *const Cell, key: Cell, mask: u32) -> bool {
    use core::arch::x86_64::{
        _mm_cmpeq_epi32, _mm_load_si128, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi32,
    };
    // A write is a read as well; bytes that are not asked for do not matter.
    let indifferent = !mask << 24 | key.0 & 1;
    // SAFETY: mapped and aligned; SSE2 is part of x86-64.
    unsafe {
        let cells = _mm_load_si128(cells.cast());
        let cells = _mm_or_si128(cells, _mm_set1_epi32(indifferent.cast_signed()));
        _mm_movemask_epi8(_mm_cmpeq_epi32(cells, _mm_set1_epi32(key.0.cast_signed()))) != 0
    }
}

/// Whether the calling thread did this to the bytes of `mask` in its present epoch.
///
/// # Safety
/// `cells` is a granule's place in the shadow memory.
#[inline(always)]
pub(super) unsafe fn is_known_now<const WRITE: bool>(cells: *const Cell, mask: u32) -> bool {
    // SAFETY: the caller's promise.
    unsafe { is_known(cells, key::<WRITE>(), mask) }
}

/// An access to the bytes of `mask` of one granule that its cells do not show.
///
/// # Safety
/// `cells` is that granule's place in the shadow memory.
#[inline(always)]
pub(super) unsafe fn slow<const WRITE: bool, const WHOLE: bool>(
    address: usize,
    pc: usize,
    cells: *mut Cell,
    mask: u32,
) {
    let mask = if WHOLE { 0xff } else { mask };
    let thread = thread::current();
    // SAFETY: the calling thread's, if not null; the cells are the caller's promise.
    unsafe {
        if thread.is_null() || (*thread).ignore != 0 || sample::is_unusual() {
            return unusual::<WRITE, WHOLE>(address, pc, cells, mask);
        }
        usual::<WRITE, WHOLE>(address, pc, cells, mask);
    }
}

/// As [`slow`], of a thread that is followed and does not ignore, once the access is recorded if it must be.
///
/// # Safety
/// As [`slow`].
#[inline(always)]
unsafe fn usual<const WRITE: bool, const WHOLE: bool>(
    address: usize,
    pc: usize,
    cells: *mut Cell,
    mask: u32,
) {
    let thread = thread::current();
    // SAFETY: the caller's promise.
    unsafe {
        let new = key::<WRITE>().with_mask(mask);
        let (low, high) = load(cells);
        let first = Cell(low as u32);
        if high != 0 {
            return general::<WRITE, WHOLE>(address, pc, cells, mask);
        }
        if low >> 32 != 0 || !(first.is_empty() || first.same_slot(new)) {
            return few::<WRITE, WHOLE>(address, pc, cells, mask);
        }
        if low == 0 && is_of_static(cells) {
            return first_of_static::<WRITE>(address, pc, cells, mask);
        }
        let context = context::current();
        let Some(place) = Place::near(pc, context) else {
            return crowded::<WRITE>(address, pc, cells, mask);
        };
        let full = (*thread).history.append(Event::access(address, new, Nature::Plain, place));
        let (first, second) = cells::alone(first, new);
        store_all(cells, first, second);
        if full || !(*thread).history.has_noted(context) {
            remember(thread);
        }
    }
}

/// Whether the granule is of what the program brings with it.
#[inline(always)]
fn is_of_static(cells: *const Cell) -> bool {
    let first = cells_at(place::base());
    cells.addr().wrapping_sub(first) < cells_at(place::end()) - first
}

/// The first access to a granule of a static. The pages of its cells are most often not there, and two threads
/// would both see an empty one and then be long in getting it: whoever is later must see the other.
///
/// # Safety
/// As [`general`].
#[cold]
#[inline(never)]
unsafe fn first_of_static<const WRITE: bool>(address: usize, pc: usize, cells: *mut Cell, mask: u32) {
    let thread = thread::current();
    // SAFETY: the caller's promise.
    unsafe {
        let new = cell_of::<WRITE>(thread, mask);
        log(thread, address, pc, new, Nature::Plain);
        let half = AtomicU64::from_ptr(cells.cast());
        if half.compare_exchange(0, new.0.into(), Ordering::SeqCst, Ordering::Relaxed).is_err() {
            settle::<WRITE>(thread, address, pc, cells, new, Nature::Plain);
        }
    }
}

/// What [`slow`] does not do itself: no thread, an ignore region, or the access may have to be recorded.
///
/// # Safety
/// As [`slow`].
#[cold]
#[inline(never)]
unsafe fn unusual<const WRITE: bool, const WHOLE: bool>(
    address: usize,
    pc: usize,
    cells: *mut Cell,
    mask: u32,
) {
    let thread = thread::current();
    // SAFETY: as in `slow`.
    unsafe {
        if thread.is_null() || (*thread).ignore != 0 {
            return;
        }
        let first = address & !(GRANULE - 1) | mask.trailing_zeros() as usize;
        let size = mask.count_ones() as usize;
        if sample::records_all() {
            record_access(thread, WRITE, first, size, pc);
        }
        shared::plain(thread, WRITE, first, size, pc);
        usual::<WRITE, WHOLE>(address, pc, cells, mask);
    }
}

/// # Safety
/// `thread` is the calling thread's.
pub(super) unsafe fn record_access(thread: *mut Thread, write: bool, address: usize, size: usize, pc: usize) {
    let kind = if write { Kind::MemoryWrite } else { Kind::MemoryRead };
    let arg = address as u64 & ((1 << 48) - 1) | (size.min(0xffff) as u64) << 48;
    // SAFETY: the caller's promise.
    unsafe {
        (*thread).ignore += 1;
        recorder::record_at(kind, Mode::None, Flags::NONE, 0, recorder::At::Code(pc), arg);
        (*thread).ignore -= 1;
    }
}

/// After an append: a new part of the history if one is due, and the context in its table.
///
/// # Safety
/// `thread` is the calling thread's.
#[cold]
#[inline(never)]
pub(super) unsafe fn remember(thread: *mut Thread) {
    // SAFETY: the caller's promise.
    unsafe {
        let history = &(*thread).history;
        if history.is_full() && history.has_first_news() && slots::has_its_own(&*thread) {
            review::fence();
            review::of_news(thread);
        }
        (*thread).history.turn();
        if !(*thread).history.has_noted(context::current()) {
            (*thread).history.note(context::note_current());
        }
    }
}

/// # Safety
/// `thread` is the calling thread's.
#[inline(always)]
pub(super) unsafe fn log(thread: *mut Thread, address: usize, pc: usize, new: Cell, nature: Nature) {
    let context = context::current();
    // SAFETY: the caller's promise; a thread that is followed has a history.
    unsafe {
        let full = (*thread).history.append(Event::access(address, new, nature, Place::new(pc, context)));
        if full || !(*thread).history.has_noted(context) {
            remember(thread);
        }
    }
}

/// Whether an access of another thread is known to happen before what `thread` does now.
///
/// # Safety
/// `thread` is the calling thread's.
#[inline(always)]
pub(super) unsafe fn is_ordered(thread: *mut Thread, cell: Cell) -> bool {
    // SAFETY: the caller's promise; a clock is only changed by its own thread.
    cell.epoch() <= u32::from(unsafe { (*thread).clock.epoch_of(cell.slot()) })
}

/// As [`general`], for a granule with no more than two cells in use; others are handed on.
///
/// # Safety
/// As [`general`].
#[inline(never)]
unsafe fn few<const WRITE: bool, const WHOLE: bool>(address: usize, pc: usize, cells: *mut Cell, mask: u32) {
    let mask = if WHOLE { 0xff } else { mask };
    let thread = thread::current();
    let cleared = CLEARED.load(Ordering::Relaxed);
    // SAFETY: the caller's promise; see `load`.
    unsafe {
        let (low, high) = load(cells);
        let (first, second) = (Cell(low as u32), Cell((low >> 32) as u32));
        let new = key::<WRITE>().with_mask(mask);
        if high != 0 || first.is_empty() {
            return general::<WRITE, WHOLE>(address, pc, cells, mask);
        }
        let is_ordered = |cell: Cell| is_ordered(thread, cell);
        let pair = if WHOLE {
            cells::pair_whole::<WRITE>(first, second, new, is_ordered)
        } else {
            cells::pair::<WRITE>(first, second, new, is_ordered)
        };
        let Some(pair) = pair else {
            return general::<WRITE, WHOLE>(address, pc, cells, mask);
        };
        let context = context::current();
        let Some(place) = Place::near(pc, context) else {
            return crowded::<WRITE>(address, pc, cells, mask);
        };
        let mut sample = Cell::EMPTY;
        for cell in pair.met {
            if !cell.is_empty() && sample::is_rare(&(*thread).history, pc as u32, cell) {
                sample = cell;
            }
        }
        let full = (*thread).history.append(Event::access(address, new, Nature::Plain, place));
        store(cells, both(pair.first, pair.second), cleared);
        if full || !(*thread).history.has_noted(context) || !sample.is_empty() {
            aftermath::<WRITE>(address, pc, mask, sample);
        }
    }
}

/// Compares an access to the bytes of `mask` with all cells of its granule, remembers it and writes its
/// cell. What is rare is left to calls at the very end, so that nothing need be kept over one.
///
/// # Safety
/// The calling thread is followed and does not ignore; `cells` are of the granule of `address`.
#[inline(never)]
unsafe fn general<const WRITE: bool, const WHOLE: bool>(
    address: usize,
    pc: usize,
    cells: *mut Cell,
    mask: u32,
) {
    let mask = if WHOLE { 0xff } else { mask };
    let thread = thread::current();
    let cleared = CLEARED.load(Ordering::Relaxed);
    let mut sample = Cell::EMPTY;
    // SAFETY: the caller's promise; see `load`.
    unsafe {
        let new = cell_of::<WRITE>(thread, mask);
        let cell_at = |index: usize| cells.add(index).read_volatile();
        if cell_at(CELLS - 1) == Cell::ATOMICS {
            return crowded::<WRITE>(address, pc, cells, mask);
        }
        let lanes = _mm_load_si128(cells.cast());
        let meets = |cell| {
            if sample::is_rare(&(*thread).history, pc as u32, cell) {
                sample = cell;
            }
            is_ordered(thread, cell)
        };
        let after = cells::all::<WRITE>(lanes, cell_at, new, meets, |cell| is_ordered(thread, cell));
        let context = context::current();
        let (Some(after), Some(place)) = (after, Place::near(pc, context)) else {
            return crowded::<WRITE>(address, pc, cells, mask);
        };
        let full = (*thread).history.append(Event::access(address, new, Nature::Plain, place));
        store(cells, after, cleared);
        if full || !(*thread).history.has_noted(context) || !sample.is_empty() {
            aftermath::<WRITE>(address, pc, mask, sample);
        }
    }
}

/// Writes a granule, that was read after `cleared` was [`CLEARED`].
///
/// # Safety
/// As [`load`].
#[inline(always)]
pub(super) unsafe fn store(cells: *mut Cell, after: __m128i, cleared: u32) {
    // SAFETY: the caller's promise.
    unsafe {
        _mm_store_si128(cells.cast(), after);
        compiler_fence(Ordering::SeqCst);
        if CLEARED.load(Ordering::Relaxed) != cleared {
            store_all(cells, Cell::EMPTY, Cell::EMPTY);
        }
    }
}

/// What is left to do after an access was remembered: room for more, and telling of `sample`, if not
/// empty.
///
/// # Safety
/// As [`general`].
#[cold]
#[inline(never)]
unsafe fn aftermath<const WRITE: bool>(address: usize, pc: usize, mask: u32, sample: Cell) {
    let thread = thread::current();
    // SAFETY: the caller's promise.
    unsafe {
        remember(thread);
        if !sample.is_empty() {
            let new = cell_of::<WRITE>(thread, mask);
            verdict::ordered(thread, address, pc, new, Nature::Plain, sample);
        }
    }
}

/// As [`general`], whatever there is in the granule.
///
/// # Safety
/// As [`general`].
#[inline(never)]
unsafe fn crowded<const WRITE: bool>(address: usize, pc: usize, cells: *mut Cell, mask: u32) {
    let thread = thread::current();
    // SAFETY: the caller's promise.
    unsafe {
        let new = cell_of::<WRITE>(thread, mask);
        log(thread, address, pc, new, Nature::Plain);
        settle::<WRITE>(thread, address, pc, cells, new, Nature::Plain);
    }
}

/// Compares an access that is in the history already with all cells of its granule, and writes its cell.
///
/// # Safety
/// As [`general`]; `thread` is the calling thread's.
#[inline(never)]
pub(super) unsafe fn settle<const WRITE: bool>(
    thread: *mut Thread,
    address: usize,
    pc: usize,
    cells: *mut Cell,
    new: Cell,
    nature: Nature,
) {
    let cleared = CLEARED.load(Ordering::Relaxed);
    // SAFETY: the caller's promise, here and below; see `load`.
    let before = unsafe { [0, 1, 2, 3].map(|index| cells.add(index).read_volatile()) };
    let is_ordered = |cell: Cell| {
        // SAFETY: see above.
        unsafe { is_ordered(thread, cell) }
    };
    let found = cells::compare::<WRITE>(before, new, is_ordered);
    let mut place = found.place();
    if place == CELLS {
        let (index, lost) = cells::victim(before, (new.0 as usize >> 1) ^ (address >> 3), is_ordered);
        place = index;
        if lost {
            counts::evicted(new.slot());
        }
    }
    let after = found.tidied(before, place, found.joined(before[place], new));
    let [first, second, third, fourth] = after.map(|cell| cell.0.cast_signed());
    // SAFETY: see above.
    unsafe { store(cells, _mm_set_epi32(fourth, third, second, first), cleared) };
    for (index, cell) in before.into_iter().enumerate() {
        // SAFETY: see above.
        unsafe {
            if found.is_met(index) && sample::is_rare(&(*thread).history, pc as u32, cell) {
                verdict::ordered(thread, address, pc, new, nature, cell);
            }
        }
    }
    if found.is_racing() || before[CELLS - 1] == Cell::ATOMICS {
        // SAFETY: see above.
        unsafe { verdict::met(thread, address, pc, new, nature, before, found) };
    }
}

/// Compares an atomic access with the plain ones to its bytes. Gives them to `report` where they
/// conflict and nothing orders them.
///
/// # Safety
/// `thread` is the calling thread's.
#[inline]
pub(super) unsafe fn plain_races(
    thread: *mut Thread,
    address: usize,
    size: usize,
    write: bool,
    mut report: impl FnMut(Cell, usize),
) {
    // SAFETY: the caller's promise.
    let (clock, slot) = unsafe { (&(*thread).clock, (*thread).slot) };
    for at in [address, address + GRANULE].into_iter().take(size.div_ceil(GRANULE)) {
        let mask = mask_of(at, size);
        let cells = core::ptr::with_exposed_provenance::<Cell>(cells_at(at));
        // SAFETY: a granule's place in the shadow memory.
        for cell in granule(unsafe { load(cells) }) {
            let conflicts = cell.mask() & mask != 0 && (write || !cell.is_read());
            if conflicts
                && cell.slot() != slot as usize
                && cell.epoch() > u32::from(clock.epoch_of(cell.slot()))
            {
                report(cell, at);
            }
        }
    }
}
