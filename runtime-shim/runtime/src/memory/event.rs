//! What a history is made of, in 16 bytes each.
//!
//! ```text
//! access       granule (41) | mask (8) | nature (4) | epoch, low (10) | read (1)   code (32) | context (32)
//! range        granules (41) | 0 | RANGE | 0                                        bytes
//! marker       thread (26), epoch (15) | 0 | MARKER | 0                             part (16) | seq (48)
//! ```
//!
//! A range stands before the access to its first granule. What follows a marker happened in its epoch,
//! after its thread had recorded event `seq`.

use super::layout::Cell;
use super::place::Place;

const RANGE: u64 = 14;
const MARKER: u64 = 15;
const GRANULE_BITS: u64 = !0 << 23;

/// What an access is, beside a read or a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Nature {
    /// Nothing special.
    Plain = 0,
    /// Volatile.
    Volatile = 1,
    /// The memory was given back to the allocator.
    Free = 2,
}

/// One entry of a ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(16))]
pub(super) struct Event(pub(super) u64, pub(super) u64);

impl Event {
    /// Access `cell` to the granule of `address`.
    #[inline(always)]
    pub(super) const fn access(address: usize, cell: Cell, nature: Nature, place: Place) -> Event {
        let granule = (address as u64) << 20 & GRANULE_BITS;
        let rest = (cell.mask() << 15 | (nature as u32) << 11 | cell.0 & 0x7ff) as u64;
        Event(granule | rest, place.0)
    }

    /// Before an event: it is the first of those of `bytes` bytes.
    pub(super) const fn range(granules: usize, bytes: usize) -> Event {
        Event((granules as u64) << 23 | RANGE << 11, bytes as u64)
    }

    pub(super) const fn marker(thread: u32, epoch: u32, part: u32, seq: u64) -> Event {
        Event((thread as u64) << 38 | (epoch as u64) << 23 | MARKER << 11, (part as u64) << 48 | seq)
    }

    pub(super) const fn mask(self) -> u32 {
        (self.0 >> 15 & 0xff) as u32
    }

    /// Where it was made.
    pub(super) const fn place(self) -> Place {
        Place(self.1)
    }

    const fn tag(self) -> u64 {
        self.0 >> 11 & 0xf
    }

    pub(super) const fn nature(self) -> Nature {
        match self.tag() {
            1 => Nature::Volatile,
            2 => Nature::Free,
            _ => Nature::Plain,
        }
    }

    pub(super) const fn is_read(self) -> bool {
        self.0 & 1 == 1
    }

    /// Where its granule begins, in the lower 44 bits.
    pub(super) const fn address(self) -> usize {
        (self.granule() << 3) as usize
    }

    pub(super) const fn granule(self) -> u64 {
        self.0 >> 23
    }

    pub(super) const fn is_marker(self) -> bool {
        self.mask() == 0 && self.tag() == MARKER
    }

    /// Whether it is a part's first marker.
    pub(super) const fn begins(self, part: u32) -> bool {
        self.is_marker() && self.1 >> 48 == part as u64 & 0xffff
    }

    pub(super) const fn epoch(self) -> u32 {
        (self.0 >> 23 & 0x7fff) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_entry_is_told_from_the_others() {
        let cell = Cell::new(0x0c, 3, 0x7ffe, true);
        let access = Event::access(0x7fff_ffff_fff8, cell, Nature::Volatile, Place(7));
        assert_eq!((access.mask(), access.nature()), (0x0c, Nature::Volatile));
        assert_eq!(access.granule(), 0x7fff_ffff_fff8 >> 3 & ((1 << 41) - 1));
        let marker = Event::marker(0x3ff_ffff, 0x7ffe, 0x1_0005, 77);
        assert!(marker.is_marker() && marker.begins(5) && !marker.begins(6));
        assert_eq!((marker.epoch(), marker.1 & 0xffff), (0x7ffe, 77));
        for other in [access, Event::range(1 << 20, 8 << 20), Event(0, 0)] {
            assert!(!other.is_marker());
        }
    }
}
