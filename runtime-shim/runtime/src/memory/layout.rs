//! Where what is known of an address stands, and what a cell says.
//!
//! Every granule of eight bytes has four cells of 32 bits in the shadow memory, which is found from the
//! low 44 bits of its address; every four bytes have one word in the sync plane, found the same way.
//!
//! ```text
//! shadow       2^45 | address << 1     to 2^46
//! sync plane   2^44 | address          to 2^45
//! cell         bytes of the granule (8) | slot (8) | epoch (15) | read (1)
//! ```
//!
//! A cell says that the thread which had that slot in that epoch accessed those bytes. 0 is no access.
//!
//! Known misses: two mappings whose addresses are equal in their low 44 bits share their cells. With the
//! usual 28 bits of address randomisation no executable and no mapping of the kernel's choice are.

use core::sync::atomic::AtomicU32;

/// Bytes of a granule.
pub(super) const GRANULE: usize = 8;
/// Cells of a granule.
pub(super) const CELLS: usize = 4;
/// First address of the shadow memory.
pub(super) const SHADOW: usize = 1 << 45;
/// Bytes of the shadow memory.
pub(super) const SHADOW_SIZE: usize = 1 << 45;
/// First address of the sync plane.
pub(super) const SYNC: usize = 1 << 44;
/// Bytes of the sync plane.
pub(super) const SYNC_SIZE: usize = 1 << 44;

/// Bits of an address that tell granules apart.
const ADDRESS_BITS: u32 = 44;

/// The cells of the granule that `address` lies in: four `u32`, aligned to 16.
#[inline(always)]
pub(super) const fn cells_at(address: usize) -> usize {
    let left = 64 - ADDRESS_BITS;
    ((address << left) >> (left - 1)) & !15 | SHADOW
}

/// The word of the sync plane for the four bytes that `address` lies in.
#[inline(always)]
pub(super) const fn sync_word_at(address: usize) -> usize {
    let left = 64 - ADDRESS_BITS;
    ((address << left) >> left) & !3 | SYNC
}

/// The address of which `low` has the bits that tell granules apart: it lies not far behind `executable`, as
/// what the program brings with it and the kernel's first heap do, or where the kernel puts all else, as a
/// thread's `stack`.
pub(super) const fn whole_address(low: usize, executable: usize, stack: usize) -> usize {
    const LOW: usize = (1 << ADDRESS_BITS) - 1;
    const FAR: usize = 1 << 40;
    let is_near = low.wrapping_sub(executable & LOW) < FAR;
    (if is_near { executable } else { stack }) & !LOW | low
}

/// What one cell says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct Cell(pub(super) u32);

impl Cell {
    /// No access.
    pub(super) const EMPTY: Cell = Cell(0);
    /// In the last cell of a granule: there are atomics in it. Accesses no bytes.
    pub(super) const ATOMICS: Cell = Cell(0x00ff_ffff);

    /// The bits of the slot.
    pub(super) const SLOT: u32 = 0x00ff_0000;
    /// Those of slot, epoch and kind.
    pub(super) const KEY: u32 = 0x00ff_ffff;

    /// An access by `slot` in `epoch` to the bytes of `mask`.
    #[inline(always)]
    pub(super) const fn new(mask: u32, slot: u32, epoch: u32, read: bool) -> Cell {
        Cell(mask << 24 | slot << 16 | epoch << 1 | read as u32)
    }

    /// As this one, to the bytes of `mask`.
    #[inline(always)]
    pub(super) const fn with_mask(self, mask: u32) -> Cell {
        Cell(self.0 & Cell::KEY | mask << 24)
    }

    #[inline(always)]
    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The bytes of the granule, the lowest address in the lowest bit.
    #[inline(always)]
    pub(super) const fn mask(self) -> u32 {
        self.0 >> 24
    }

    #[inline(always)]
    pub(super) const fn slot(self) -> usize {
        (self.0 >> 16 & 0xff) as usize
    }

    #[inline(always)]
    pub(super) const fn epoch(self) -> u32 {
        self.0 >> 1 & 0x7fff
    }

    #[inline(always)]
    pub(super) const fn is_read(self) -> bool {
        self.0 & 1 == 1
    }

    /// Whether both are of the same slot.
    #[inline(always)]
    pub(super) const fn same_slot(self, other: Cell) -> bool {
        (self.0 ^ other.0) & Cell::SLOT == 0
    }

    /// Whether they differ in nothing but their bytes.
    #[inline(always)]
    pub(super) const fn same_but_bytes(self, other: Cell) -> bool {
        (self.0 ^ other.0) & Cell::KEY == 0
    }

    /// Whether every access that would conflict with this one conflicts with `other`, if both are of
    /// one thread and `other` is the later: `other` is to all of its bytes, and writes if it does.
    #[inline(always)]
    pub(super) const fn is_covered_by(self, other: Cell) -> bool {
        self.mask() & !other.mask() == 0 && (self.is_read() || !other.is_read())
    }
}

/// How often the shadow memory was cleared as a whole: one more before it begins. Who writes back a cell
/// of another thread must see the same number before it read it and after it wrote.
pub(super) static CLEARED: AtomicU32 = AtomicU32::new(0);

/// The bytes that an access of `size` bytes at `address` has in its first granule.
#[inline(always)]
pub(super) const fn mask_of(address: usize, size: usize) -> u32 {
    let size = if size < GRANULE { size } else { GRANULE };
    ((1_u32 << size) - 1) << (address % GRANULE) & 0xff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_have_neighbouring_cells_and_no_granule_another_s() {
        let base = 0x7f12_3456_7000;
        assert_eq!(cells_at(base + 8) - cells_at(base), 16);
        assert_eq!(cells_at(base + 7), cells_at(base));
        assert_eq!(sync_word_at(base + 4) - sync_word_at(base), 4);
        for address in [0x40_0000, 0x5555_5555_4000, 0x7fff_ffff_f000, base] {
            assert!((SHADOW..SHADOW + SHADOW_SIZE).contains(&cells_at(address)));
            assert!((SYNC..SYNC + SYNC_SIZE).contains(&sync_word_at(address)));
        }
    }

    #[test]
    fn the_whole_address_is_known_by_its_neighbourhood() {
        let low = |address: usize| address & ((1 << ADDRESS_BITS) - 1);
        let stack = 0x7ffc_1234_5000;
        for executable in [0x40_0000, 0x5555_5555_4000, 0x64b0_1234_5000] {
            for address in [executable + 0x1238, executable + 0x4000_0000, 0x7f12_3456_7000, stack + 8] {
                assert_eq!(whole_address(low(address), executable, stack), address);
            }
        }
    }

    #[test]
    fn a_cell_says_what_it_was_made_of() {
        let cell = Cell::new(0x3c, 200, 0x7ffe, true);
        assert_eq!((cell.mask(), cell.slot(), cell.epoch(), cell.is_read()), (0x3c, 200, 0x7ffe, true));
        assert_eq!(cell.with_mask(0xff).mask(), 0xff);
        assert!(cell.same_but_bytes(cell.with_mask(1)));
        assert!(!cell.same_but_bytes(Cell::new(0x3c, 200, 0x7ffe, false)));
    }

    #[test]
    fn a_read_does_not_cover_a_write() {
        let (read, write) = (Cell::new(0xff, 1, 2, true), Cell::new(0xff, 1, 1, false));
        assert!(!write.is_covered_by(read));
        assert!(read.is_covered_by(write));
        assert!(!write.is_covered_by(write.with_mask(0x7f)));
    }

    #[test]
    fn an_access_has_the_bytes_that_lie_in_its_granule() {
        assert_eq!(mask_of(0x1000, 8), 0xff);
        assert_eq!(mask_of(0x1003, 2), 0x18);
        assert_eq!(mask_of(0x1006, 4), 0xc0);
        assert_eq!(mask_of(0x1000, 16), 0xff);
    }
}
