//! A clock that lies somewhere for others to learn from: in an atomic, in a lock, of an ended thread.
//!
//! It is as long as slots were in use when it was last written, and belongs to an era. Its owner keeps a
//! lock, and asks for the era ([`slots::era`]) after having taken it.

use core::ptr::null_mut;

use super::arena;
use super::clock::{self, Clock, LANES, SLOTS};
use super::slots;

/// A clock that others left. All zero: nobody left one.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Stored {
    entries: *mut u16,
    era: u32,
    /// Entries that `entries` has room for.
    room: u16,
    /// Entries that count; 0 if there is no clock.
    length: u16,
}

impl Stored {
    /// No clock.
    pub(super) const fn new() -> Stored {
        Stored { entries: null_mut(), era: 0, room: 0, length: 0 }
    }

    /// Whether there is no clock.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// What is known in it, in `era`.
    #[inline]
    pub(super) fn entries(&mut self, era: u32) -> &[u16] {
        self.refresh(era);
        // SAFETY: `entries` has room for so many, all written, if there are any.
        if self.length == 0 { &[] } else { unsafe { self.slice() } }
    }

    /// # Safety
    /// There is a clock.
    unsafe fn slice(&mut self) -> &mut [u16] {
        // SAFETY: the arena gave room for at least so many, as zeros.
        unsafe { core::slice::from_raw_parts_mut(self.entries, usize::from(self.length)) }
    }

    #[inline]
    fn refresh(&mut self, era: u32) {
        if self.era != era && self.length != 0 {
            let from = self.era;
            // SAFETY: there is a clock.
            slots::drop_renewed(unsafe { self.slice() }, from);
        }
        self.era = era;
    }

    /// From now on it is `clock`, of `era`, and nothing else.
    #[inline]
    pub(super) fn set(&mut self, clock: &Clock, era: u32) {
        self.length = 0;
        self.add(clock, era);
    }

    /// From now on it is `clock` as well.
    #[inline]
    pub(super) fn add(&mut self, clock: &Clock, era: u32) {
        self.add_entries(&clock.entries()[..slots::length()], era);
    }

    /// As [`Stored::add`], for a part of a clock; the rest is 0.
    pub(super) fn add_entries(&mut self, entries: &[u16], era: u32) {
        debug_assert!(entries.len().is_multiple_of(LANES) && entries.len() <= SLOTS);
        self.refresh(era);
        if entries.is_empty() {
            return;
        }
        if usize::from(self.room) < entries.len() && !self.grow(entries.len()) {
            return;
        }
        let old = usize::from(self.length);
        // SAFETY: there is room for so many.
        let there = unsafe { core::slice::from_raw_parts_mut(self.entries, old.max(entries.len())) };
        clock::join(&mut there[..old], entries);
        if entries.len() > old {
            there[old..].copy_from_slice(&entries[old..]);
            self.length = entries.len() as u16;
        }
    }

    /// Room for so many entries; false if there is no memory, and what would be added is lost: then no race
    /// is told of any more.
    #[cold]
    fn grow(&mut self, room: usize) -> bool {
        let new = arena::take(size_of::<u16>() * room).cast::<u16>();
        if new.is_null() {
            super::start::distrust();
            return false;
        }
        let old = core::mem::replace(self, Stored::new());
        // SAFETY: the new room is larger than the old, which nobody else knows of.
        unsafe {
            if old.length != 0 {
                core::ptr::copy_nonoverlapping(old.entries, new, usize::from(old.length));
            }
        }
        *self = Stored { entries: new, era: old.era, room: room as u16, length: old.length };
        let mut old = old;
        old.length = 0;
        old.release();
        true
    }

    /// No clock any more; its memory may serve the next.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.length = 0;
    }

    /// No clock any more, and no memory.
    pub(super) fn release(&mut self) {
        if !self.entries.is_null() {
            // SAFETY: from the arena, for this size, and forgotten here.
            unsafe { arena::give_back(self.entries.cast(), size_of::<u16>() * usize::from(self.room)) };
        }
        *self = Stored::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(entries: &[(usize, u16)]) -> Clock {
        let mut clock = Clock::ZERO;
        for &(slot, epoch) in entries {
            clock.set(slot, epoch);
        }
        clock
    }

    #[test]
    fn what_is_added_is_joined_and_what_is_set_replaces() {
        let mut stored = Stored::new();
        assert!(stored.is_empty());
        stored.add(&clock(&[(1, 5), (2, 1)]), 0);
        stored.add(&clock(&[(1, 3), (3, 9)]), 0);
        assert_eq!(stored.entries(0)[..4], [0, 5, 1, 9]);
        stored.set(&clock(&[(2, 7)]), 0);
        assert_eq!(stored.entries(0)[..4], [0, 0, 7, 0]);
        stored.clear();
        assert!(stored.entries(0).is_empty());
        stored.release();
    }

    #[test]
    fn a_longer_clock_is_joined_whole() {
        let mut stored = Stored::new();
        stored.add_entries(&[1; LANES], 0);
        stored.add_entries(&[2; 4 * LANES], 0);
        stored.add_entries(&[3; LANES], 0);
        let entries = stored.entries(0);
        assert_eq!(entries.len(), 4 * LANES);
        assert_eq!((entries[0], entries[LANES]), (3, 2));
        stored.release();
    }
}
