//! Vector clocks: for each slot the last epoch that is known to have happened before.
//!
//! Epochs are below 2^15, so that SSE2's signed maximum joins eight of them at once. A clock is held
//! whole by a thread, and by others only as far as slots are in use.

use core::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_max_epi16, _mm_storeu_si128};

/// Number of slots.
pub(super) const SLOTS: usize = 256;
/// Largest epoch; 0 is before everything.
pub(super) const LAST_EPOCH: u32 = 0x7ffe;
/// Entries that are joined at once; lengths of clocks are multiples of it.
pub(super) const LANES: usize = 8;

/// A whole clock. All zero: nothing is known to have happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[repr(C, align(16))]
pub(super) struct Clock([u16; SLOTS]);

impl Clock {
    /// Nothing has happened.
    #[cfg(test)]
    pub(super) const ZERO: Clock = Clock([0; SLOTS]);

    /// The last epoch of `slot` that happened before; `slot` is below 256.
    #[inline(always)]
    pub(super) fn epoch_of(&self, slot: usize) -> u16 {
        debug_assert!(slot < SLOTS);
        // SAFETY: slots are below SLOTS by construction: they come from eight bits.
        unsafe { *self.0.get_unchecked(slot & (SLOTS - 1)) }
    }

    /// Sets one entry.
    #[inline(always)]
    pub(super) fn set(&mut self, slot: usize, epoch: u16) {
        self.0[slot & (SLOTS - 1)] = epoch;
    }

    /// All entries.
    #[inline(always)]
    pub(super) fn entries(&self) -> &[u16] {
        &self.0
    }

    /// All entries.
    #[inline(always)]
    pub(super) fn entries_mut(&mut self) -> &mut [u16] {
        &mut self.0
    }

    /// Learns what `other` knows.
    #[inline]
    pub(super) fn join(&mut self, other: &[u16]) {
        join(&mut self.0, other);
    }

    /// Whether this knows all that `other` knows.
    #[cfg(test)]
    pub(super) fn covers(&self, other: &[u16]) -> bool {
        other.iter().zip(&self.0).all(|(theirs, ours)| theirs <= ours)
    }
}

/// Joins `from` into the beginning of `into`; the shorter one's length, rounded down to lanes, counts.
#[inline]
pub(super) fn join(into: &mut [u16], from: &[u16]) {
    let lanes = into.len().min(from.len()) / LANES;
    for lane in 0..lanes {
        // SAFETY: both slices have eight entries, 16 bytes, from `lane * LANES`; the instructions ask for
        // no alignment, and SSE2 is part of x86-64.
        unsafe {
            let to = into.as_mut_ptr().add(lane * LANES).cast::<__m128i>();
            let other = _mm_loadu_si128(from.as_ptr().add(lane * LANES).cast());
            _mm_storeu_si128(to, _mm_max_epi16(_mm_loadu_si128(to), other));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_join_is_the_greater_entry_of_each() {
        let mut clock = Clock::ZERO;
        clock.set(3, 7);
        clock.set(200, 9);
        let mut other = [0_u16; 16];
        (other[3], other[4]) = (5, LAST_EPOCH as u16);
        clock.join(&other);
        assert_eq!((clock.epoch_of(3), clock.epoch_of(4), clock.epoch_of(200)), (7, LAST_EPOCH as u16, 9));
        assert!(clock.covers(&other));
    }

    #[test]
    fn a_clock_does_not_cover_what_it_has_not_joined() {
        let mut later = Clock::ZERO;
        later.set(9, 2);
        let mut earlier = Clock::ZERO;
        earlier.set(9, 1);
        assert!(later.covers(earlier.entries()));
        assert!(!earlier.covers(later.entries()));
    }
}
