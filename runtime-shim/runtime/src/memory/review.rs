//! A second look at what a thread has just done, for accesses in the same instant.
//!
//! Two threads that access a granule at once may both look into shadow memory before either has written
//! there: neither sees the other, and whose store comes last stays. So a thread looks again, before it does
//! anything that orders: at the first and the last few accesses since it did so before.
//!
//! Invariants, by which what is found is as sure as what is found at once:
//! * The thread's clock is what it was at the access: nothing was learnt in between. What it does not know of
//!   is not ordered before.
//! * Nothing was given on since the access either, so that nothing is ordered after it. That includes what
//!   others may guess, see [`slots::has_guessed`], and memory that others may have got since: a thread that
//!   gives memory back first forgets what it would have looked at again ([`History::reviewed`]).
//! * Only a thread that still has its slot looks.
//!
//! Known misses: accesses in the middle of many without an operation that orders; a thread that is stopped,
//! between looking into shadow memory and writing there, for so long that the other one looks again meanwhile.

use core::arch::asm;
use core::arch::x86_64::{_mm_load_si128, _mm_set1_epi32};
use core::sync::atomic::{Ordering, compiler_fence};

use super::cells;
use super::event::Event;
use super::layout::{Cell, cells_at};
use super::thread::Thread;
use super::{access, slots, verdict};

/// How many accesses are looked at again, of the first and of the last.
const FEW: usize = 4;

/// What the thread wrote may wait for its turn in the processor, and would be all that it reads back: not from
/// here on. `mfence` does the same and takes longer.
#[inline(always)]
pub(super) fn fence() {
    // SAFETY: what is on top of the stack, or below, stays as it is.
    unsafe { asm!("lock or dword ptr [rsp], 0", options(nostack)) };
}

/// Looks again at what the thread did since it last looked. Behind a [`fence`] or what is as good.
///
/// # Safety
/// `thread` is the calling thread's, and has its slot.
#[inline(never)]
pub(super) unsafe fn of_news(thread: *mut Thread) {
    // SAFETY: the caller's promise, here and below.
    let news = unsafe { (*thread).history.news() };
    let rest = news.len().saturating_sub(FEW).max(FEW.min(news.len()));
    for event in news[..news.len().min(FEW)].iter().chain(&news[rest..]) {
        // SAFETY: see above.
        unsafe { of_event(thread, *event) };
    }
    // SAFETY: see above.
    unsafe { (*thread).history.reviewed() };
}

/// # Safety
/// As [`of_news`]; `event` is what the thread did in its present epoch.
#[inline(always)]
unsafe fn of_event(thread: *mut Thread, event: Event) {
    let cells = core::ptr::with_exposed_provenance::<Cell>(cells_at(event.address()));
    // SAFETY: a granule's place in the shadow memory, and the caller's promise.
    unsafe { of_granule(thread, event, cells, |new, cell| overlooked(thread, event, new, cell)) }
}

/// Gives to `report` the cell of `event`, and each that is there of another thread's and races with it.
///
/// # Safety
/// As [`of_event`]; `cells` are of the granule of `event`.
#[inline(always)]
unsafe fn of_granule(
    thread: *mut Thread,
    event: Event,
    cells: *const Cell,
    mut report: impl FnMut(Cell, Cell),
) {
    // SAFETY: the caller's promise; others write there by plain stores that are never torn within a cell.
    unsafe {
        let new = Cell::new(event.mask(), (*thread).slot, (*thread).epoch, event.is_read());
        let mut others = cells::others(_mm_load_si128(cells.cast()), new);
        while others != 0 {
            let cell = cells.add(others.trailing_zeros() as usize).read_volatile();
            // Another one may be there by now.
            let is_still = || cells::others(_mm_set1_epi32(cell.0.cast_signed()), new) != 0;
            if !access::is_ordered(thread, cell) && is_still() {
                report(new, cell);
            }
            others &= others - 1;
        }
    }
}

/// # Safety
/// As [`of_event`].
#[cold]
#[inline(never)]
unsafe fn overlooked(thread: *mut Thread, event: Event, new: Cell, cell: Cell) {
    // After the cell was read: who guesses says so before it accesses anything.
    compiler_fence(Ordering::SeqCst);
    // SAFETY: the caller's promise.
    unsafe {
        if !slots::has_guessed() && (*thread).era == slots::era() {
            verdict::overlooked(thread, event, new, cell);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::Nature;
    use super::super::lifetime::{alone, test_thread};
    use super::super::place::Place;
    use super::*;

    #[repr(align(16))]
    struct Granule([Cell; 4]);

    const ADDRESS: usize = 0x7f00_0300_0000;

    /// What `thread` finds when it looks at the granule again, having written to the bytes of `mask`.
    fn found(thread: &mut Thread, read: bool, mask: u32, granule: &Granule) -> Vec<Cell> {
        let new = Cell::new(mask, thread.slot, thread.epoch, read);
        let event = Event::access(ADDRESS, new, Nature::Plain, Place(1));
        let mut found = Vec::new();
        // SAFETY: the thread is this test's, and the granule has four cells.
        unsafe {
            of_granule(thread, event, granule.0.as_ptr(), |own, cell| {
                assert_eq!(own, new);
                found.push(cell);
            });
        }
        found
    }

    #[test]
    fn the_other_thread_s_cell_that_took_the_place_of_the_own_one_is_found() {
        let _alone = alone();
        let (mut one, mut other) = (test_thread(84_001), test_thread(84_002));
        let cell = |mask, read| Cell::new(mask, other.slot, other.epoch, read);
        let (write, read) = (cell(0xff, false), cell(0xff, true));
        let overwritten = |cell| Granule([cell, Cell::EMPTY, Cell::EMPTY, Cell::ATOMICS]);
        assert_eq!(found(&mut one, false, 0x0f, &overwritten(write)), [write]);
        assert_eq!(found(&mut one, true, 0x0f, &overwritten(write)), [write]);
        assert_eq!(found(&mut one, false, 0x0f, &overwritten(read)), [read]);
        assert_eq!(found(&mut one, true, 0x0f, &overwritten(read)), []);
        assert_eq!(found(&mut one, false, 0x0f, &overwritten(cell(0xf0, false))), []);
        let both = Granule([Cell::new(0xff, one.slot, one.epoch, false), read, write, Cell::EMPTY]);
        assert_eq!(found(&mut one, false, 0xff, &both), [read, write]);
        one.clock.set(other.slot as usize, other.epoch as u16);
        assert_eq!(found(&mut one, false, 0xff, &both), [], "it is ordered");
        slots::leave(&mut one);
        slots::leave(&mut other);
    }

    #[test]
    fn what_is_no_access_finds_nothing() {
        let _alone = alone();
        let (mut one, mut other) = (test_thread(84_003), test_thread(84_004));
        let granule = Granule([Cell::new(0xff, other.slot, other.epoch, false); 4]);
        for event in [Event::marker(1, one.epoch, 0, 7), Event::range(4, 32)] {
            // SAFETY: as in `found`.
            unsafe { of_granule(&raw mut *one, event, granule.0.as_ptr(), |_, _| panic!("{event:?}")) };
        }
        slots::leave(&mut one);
        slots::leave(&mut other);
    }

    #[test]
    fn a_guess_is_remembered_for_good() {
        let mut clock = super::super::clock::Clock::ZERO;
        slots::learn_all(&mut clock);
        assert!(slots::has_guessed());
    }
}
