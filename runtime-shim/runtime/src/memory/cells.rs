//! What the four cells of a granule say of a new access, and how they keep it: logic without memory.
//!
//! Invariants, on which the absence of false reports rests:
//! * A cell is only ever written with what the calling thread did itself: its own slot, its own epoch,
//!   bytes that it accessed. Cells that another thread changes meanwhile lead to a missed race, never to
//!   a cell that says what did not happen.
//! * A cell is given up without loss only where [`Cell::is_covered_by`] holds and it is ordered before
//!   the new access: whatever is not ordered after the one is then not ordered after the other either.
//!
//! Source: the shadow cells of ThreadSanitizer v3; the rules for replacing them are our own.
//!
//! Known misses: a granule remembers four accesses, three where there are atomics; of two threads that
//! access a granule in the same instant one may overwrite the other's cell.

use super::layout::{CELLS, Cell};

/// The four cells of a granule.
pub(super) type Granule = [Cell; CELLS];

/// The first two cells after access `new`, where the last two are empty and the first two are empty or
/// of its own slot: nothing is to be compared. `None` if it needs a third cell.
#[inline(always)]
pub(super) fn own(first: Cell, second: Cell, new: Cell) -> Option<(Cell, Cell)> {
    let joined = if first.same_but_bytes(new) { Cell(first.0 | new.0) } else { new };
    if second.is_empty() {
        let is_kept = !first.is_empty() && !first.is_covered_by(joined);
        return Some(if is_kept { (first, joined) } else { (joined, Cell::EMPTY) });
    }
    let joined = if second.same_but_bytes(new) { Cell(second.0 | new.0) } else { joined };
    let keeps = |cell: Cell| !cell.is_empty() && !cell.is_covered_by(joined);
    match (keeps(first), keeps(second)) {
        (false, false) => Some((joined, Cell::EMPTY)),
        (true, false) => Some((first, joined)),
        (false, true) => Some((joined, second)),
        (true, true) => None,
    }
}

/// What an access finds in its granule. Sets of cells are bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Where to put `store`; [`CELLS`] if another cell has to be given up for it.
    pub(super) place: usize,
    /// The new access, with the bytes of the one that it continues.
    pub(super) store: Cell,
    /// Conflicting accesses of others that are not ordered before this one.
    pub(super) races: u32,
    /// Conflicting accesses of others that are.
    pub(super) ordered: u32,
    /// Whether there are atomics in the granule.
    pub(super) atomics: bool,
}

/// Compares access `new`, a write if `WRITE`, with the cells of its granule. `is_ordered` says whether an
/// access of another thread is known to happen before this one.
///
/// Cells are taken in order, and there is none behind an empty one but for the mark of atomics.
#[inline(always)]
pub(super) fn compare<const WRITE: bool>(
    cell_at: impl Fn(usize) -> Cell,
    new: Cell,
    is_ordered: impl Fn(Cell) -> bool,
) -> Found {
    let mut found = Found { place: CELLS, store: new, races: 0, ordered: 0, atomics: false };
    for index in 0..CELLS {
        let cell = cell_at(index);
        let is_free = if cell.is_empty() {
            true
        } else if cell.same_slot(new) {
            if cell.same_but_bytes(new) {
                found.place = index;
                found.store = Cell(cell.0 | new.0);
            }
            cell.is_covered_by(new) && cell != Cell::ATOMICS
        } else if cell.mask() & new.mask() == 0 {
            false
        } else {
            let is_ordered = is_ordered(cell);
            if WRITE || !cell.is_read() {
                if is_ordered {
                    found.ordered |= 1 << index;
                } else {
                    found.races |= 1 << index;
                }
            }
            is_ordered && cell.is_covered_by(new)
        };
        if is_free && found.place == CELLS {
            found.place = index;
        }
        if cell.is_empty() {
            break;
        }
    }
    found.atomics = cell_at(CELLS - 1) == Cell::ATOMICS;
    found
}

/// Which cell to give up for access `new` when [`compare`] found no place, and whether what it says is
/// lost: it was not ordered before the new access. `start` is any number, the same for no two calls in a
/// row if possible.
pub(super) fn victim(cells: Granule, start: usize, is_ordered: impl Fn(Cell) -> bool) -> (usize, bool) {
    let in_turn = (0..CELLS).map(|step| (start + step) % CELLS);
    let mut candidates = in_turn.filter(|&index| cells[index] != Cell::ATOMICS);
    let first = candidates.clone().next().unwrap_or(0);
    let index = candidates.find(|&index| cells[index].is_read() && is_ordered(cells[index]));
    let index = index.unwrap_or(first);
    (index, !is_ordered(cells[index]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: Cell = Cell::EMPTY;

    fn read(mask: u32, slot: u32, epoch: u32) -> Cell {
        Cell::new(mask, slot, epoch, true)
    }

    fn write(mask: u32, slot: u32, epoch: u32) -> Cell {
        Cell::new(mask, slot, epoch, false)
    }

    fn compare(cells: Granule, new: Cell, is_ordered: impl Fn(Cell) -> bool) -> Found {
        if new.is_read() {
            super::compare::<false>(|index| cells[index], new, is_ordered)
        } else {
            super::compare::<true>(|index| cells[index], new, is_ordered)
        }
    }

    #[test]
    fn the_first_access_takes_the_first_cell() {
        assert_eq!(own(EMPTY, EMPTY, read(0xf, 1, 1)), Some((read(0xf, 1, 1), EMPTY)));
        let found = compare([EMPTY; 4], write(1, 1, 1), |_| false);
        assert_eq!((found.place, found.races, found.ordered, found.atomics), (0, 0, 0, false));
    }

    #[test]
    fn bytes_of_one_epoch_and_kind_are_joined_in_one_cell() {
        let joined = own(write(0x0f, 1, 5), EMPTY, write(0xf0, 1, 5));
        assert_eq!(joined, Some((write(0xff, 1, 5), EMPTY)));
        let joined = own(write(0xff, 1, 4), write(0x7f, 1, 5), write(0x80, 1, 5));
        assert_eq!(joined, Some((write(0xff, 1, 5), EMPTY)), "the whole covers the older write");
    }

    #[test]
    fn a_later_read_keeps_the_own_write_and_a_later_write_forgets_the_own_read() {
        let both = (write(0xff, 1, 1), read(0xff, 1, 2));
        assert_eq!(own(write(0xff, 1, 1), EMPTY, read(0xff, 1, 2)), Some(both));
        assert_eq!(own(both.0, both.1, write(0xff, 1, 3)), Some((write(0xff, 1, 3), EMPTY)));
        assert_eq!(own(both.0, both.1, read(0xff, 1, 3)), Some((both.0, read(0xff, 1, 3))));
    }

    #[test]
    fn no_byte_that_was_accessed_is_forgotten_for_one_that_was_not() {
        let kept = own(write(0xff, 1, 1), EMPTY, write(0x01, 1, 2));
        assert_eq!(kept, Some((write(0xff, 1, 1), write(0x01, 1, 2))));
        assert_eq!(own(write(0x03, 1, 1), read(0x0c, 1, 1), write(0x10, 1, 2)), None);
    }

    #[test]
    fn a_write_races_with_reads_and_writes_of_others_and_a_read_only_with_writes() {
        let cells = [write(0xff, 1, 3), read(0xff, 2, 3), write(0x0f, 3, 3), EMPTY];
        assert_eq!(compare(cells, write(0xf0, 9, 1), |_| false).races, 0b011);
        assert_eq!(compare(cells, read(0x01, 9, 1), |_| false).races, 0b101);
        assert_eq!(compare(cells, write(0xff, 9, 1), |_| true).ordered, 0b111);
    }

    #[test]
    fn only_those_ordered_before_are_no_races() {
        let cells = [write(0xff, 1, 3), write(0xff, 2, 9), EMPTY, EMPTY];
        let found = compare(cells, write(0xff, 9, 1), |cell| cell.epoch() <= 5);
        assert_eq!((found.ordered, found.races), (0b01, 0b10));
        assert_eq!(found.place, 0, "what is ordered before and covered is given up");
    }

    #[test]
    fn the_unordered_keep_their_cells_and_the_covering_write_survives_a_read() {
        let cells = [write(0xff, 1, 9), write(0xff, 2, 1), EMPTY, EMPTY];
        assert_eq!(compare(cells, read(0xff, 9, 1), |cell| cell.epoch() <= 5).place, 2);
        assert_eq!(compare([write(0xff, 1, 1); 4], read(0xff, 9, 1), |_| true).place, CELLS);
    }

    #[test]
    fn an_access_is_joined_to_its_own_cell_behind_others() {
        let cells = [read(0xff, 9, 6), read(0xff, 2, 1), write(0x01, 9, 7), EMPTY];
        let found = compare(cells, write(0x02, 9, 7), |_| true);
        assert_eq!((found.place, found.store), (2, write(0x03, 9, 7)));
    }

    #[test]
    fn atomics_are_no_access_even_to_the_thread_in_the_last_slot() {
        let cells = [EMPTY, EMPTY, EMPTY, Cell::ATOMICS];
        let found = compare(cells, read(0xff, 255, 0x7ffe), |_| false);
        assert_eq!((found.place, found.atomics, found.races), (0, true, 0));
        let cells = [write(0xff, 1, 1), write(0xff, 2, 1), write(0xff, 3, 1), Cell::ATOMICS];
        assert_eq!(compare(cells, read(0xff, 255, 0x7ffe), |_| true).place, CELLS);
    }

    #[test]
    fn a_read_that_is_ordered_gives_way_first_and_atomics_never_do() {
        let cells = [write(0xff, 1, 9), write(0xff, 2, 9), read(0xff, 3, 1), Cell::ATOMICS];
        for start in 0..8 {
            assert_eq!(victim(cells, start, |cell| cell.epoch() <= 5), (2, false));
            let (index, lost) = victim(cells, start, |_| false);
            assert!(index < 3 && lost);
        }
    }
}
