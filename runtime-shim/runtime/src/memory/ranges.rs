//! Accesses that may lie in several granules: ranges, copies, unaligned and volatile ones.
//!
//! A range is one event of the history, however many granules it has, beginning with the first one that
//! does not show the access already.
//!
//! Invariants: as of [`super::access`].

use core::arch::x86_64::_mm_load_si128;
use core::sync::atomic::Ordering;

use super::access::{
    both, cell_of, is_known, is_ordered, key, load, log, record_access, remember, settle, store, store_all,
};
use super::event::{Event, Nature};
use super::layout::{CELLS, CLEARED, Cell, GRANULE, cells_at, mask_of};
use super::place::Place;
use super::thread::{self, Thread};
use super::{cells, context, sample, shared, verdict};

/// An access to `size` bytes from `start` that may lie in several granules.
///
/// # Safety
/// The calling thread makes that access.
#[inline(always)]
pub(super) unsafe fn range<const WRITE: bool>(start: usize, size: usize, pc: usize) {
    // SAFETY: the caller's promise.
    unsafe { range_of::<WRITE>(start, size, pc, Nature::Plain) }
}

/// As [`range`], of any nature.
///
/// # Safety
/// As [`range`].
#[inline(always)]
pub(super) unsafe fn range_of<const WRITE: bool>(start: usize, size: usize, pc: usize, nature: Nature) {
    let key = key::<WRITE>();
    let mut at = start;
    while at < start + size {
        let mask = mask_of(at, start + size - at);
        let cells = core::ptr::with_exposed_provenance::<Cell>(cells_at(at));
        // SAFETY: a granule's place in the shadow memory.
        if !unsafe { is_known(cells, key, mask) } {
            // SAFETY: the caller's promise.
            return unsafe { rest_of_range::<WRITE>(start, size, pc, nature, at) };
        }
        at = (at & !(GRANULE - 1)) + GRANULE;
    }
}

/// The rest, from `at`, of a range of which the granules before show the access already.
///
/// # Safety
/// As [`range`].
#[inline(never)]
unsafe fn rest_of_range<const WRITE: bool>(start: usize, size: usize, pc: usize, nature: Nature, at: usize) {
    let thread = thread::current();
    // SAFETY: the calling thread's, if not null.
    unsafe {
        if thread.is_null() || (*thread).ignore != 0 {
            return;
        }
        if sample::is_unusual() {
            if sample::records_all() {
                record_access(thread, WRITE, start, size, pc);
            }
            shared::plain(thread, WRITE, start, size, pc);
        }
        (*thread).range = (start, size);
        log_range::<WRITE>(thread, at, start + size - at, pc, nature);
        settle_range::<WRITE>(thread, at, start + size, pc, nature);
        (*thread).range = (0, 0);
    }
}

/// # Safety
/// `thread` is the calling thread's, not ignoring.
unsafe fn log_range<const WRITE: bool>(
    thread: *mut Thread,
    start: usize,
    size: usize,
    pc: usize,
    nature: Nature,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let new = cell_of::<WRITE>(thread, mask_of(start, size));
        let granules = (start % GRANULE + size).div_ceil(GRANULE);
        if granules == 1 {
            return log(thread, start, pc, new, nature);
        }
        let context = context::current();
        let event = Event::access(start, new, nature, Place::new(pc, context));
        (*thread).history.append_range(event, granules, size);
        if !(*thread).history.has_noted(context) {
            remember(thread);
        }
    }
}

/// # Safety
/// As [`log_range`].
#[inline(always)]
unsafe fn settle_range<const WRITE: bool>(
    thread: *mut Thread,
    start: usize,
    end: usize,
    pc: usize,
    nature: Nature,
) {
    let key = key::<WRITE>();
    let mut at = start;
    while at < end {
        let mask = mask_of(at, end - at);
        let cells = core::ptr::with_exposed_provenance_mut::<Cell>(cells_at(at));
        // SAFETY: a granule's place in the shadow memory, and the caller's promise.
        unsafe {
            if !is_known(cells, key, mask) {
                one_of_range::<WRITE>(thread, at, pc, cells, cell_of::<WRITE>(thread, mask), nature);
            }
        }
        at = (at & !(GRANULE - 1)) + GRANULE;
    }
}

/// [`settle`], with a short way for the granules that ranges meet most often.
///
/// # Safety
/// As [`settle`].
#[inline(always)]
unsafe fn one_of_range<const WRITE: bool>(
    thread: *mut Thread,
    at: usize,
    pc: usize,
    cells: *mut Cell,
    new: Cell,
    nature: Nature,
) {
    let cleared = CLEARED.load(Ordering::Relaxed);
    // SAFETY: the caller's promise.
    unsafe {
        let (low, high) = load(cells);
        let (first, second) = (Cell(low as u32), Cell((low >> 32) as u32));
        if high == 0 {
            if low == 0 {
                return store_all(cells, new, Cell::EMPTY);
            }
            if !first.is_empty()
                && let Some(pair) = cells::pair::<WRITE>(first, second, new, |cell| is_ordered(thread, cell))
            {
                store(cells, both(pair.first, pair.second), cleared);
                for cell in pair.met {
                    if !cell.is_empty() && sample::is_rare(&(*thread).history, pc as u32, cell) {
                        verdict::ordered(thread, at, pc, new, nature, cell);
                    }
                }
                return;
            }
        }
        let cell_at = |index: usize| cells.add(index).read_volatile();
        if cell_at(CELLS - 1) != Cell::ATOMICS {
            let lanes = _mm_load_si128(cells.cast());
            let mut rare = Cell::EMPTY;
            let meets = |cell| {
                if sample::is_rare(&(*thread).history, pc as u32, cell) {
                    rare = cell;
                }
                is_ordered(thread, cell)
            };
            let after = cells::all::<WRITE>(lanes, cell_at, new, meets, |cell| is_ordered(thread, cell));
            if let Some(after) = after {
                store(cells, after, cleared);
                if !rare.is_empty() {
                    verdict::ordered(thread, at, pc, new, nature, rare);
                }
                return;
            }
        }
        settle::<WRITE>(thread, at, pc, cells, new, nature);
    }
}
