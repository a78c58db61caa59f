//! Where a table of open addressing looks for what has a hash: slot after slot.
//!
//! Invariant: the order of slots follows from the hash alone, so that what was put into the first free
//! one is found before a free one is met.
//!
//! Where schedules are explored, each execution is a fork, and each page that it touches is a page fault.
//! There the first steps lead through the beginning of the table, which small programs never leave.

/// The slots that are tried first where schedules are explored.
const NEAR: usize = 256;
/// How many of those are tried.
const NEAR_TRIES: usize = 16;

/// The slot to look at in step `step`, from 0, of a table of `slots`, a power of two not below 256.
#[inline]
pub(crate) const fn slot(hash: usize, step: usize, slots: usize) -> usize {
    if cfg!(snag_explore) && step < NEAR_TRIES {
        return (hash + step) & (NEAR - 1);
    }
    (hash + step) & (slots - 1)
}
