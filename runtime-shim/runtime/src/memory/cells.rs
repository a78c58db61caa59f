//! What the four cells of a granule say of a new access, and how they keep it: logic without memory.
//!
//! Invariants, on which the absence of false reports rests:
//! * A cell is only ever made of what the calling thread did itself: its own slot, its own epoch, bytes
//!   that it accessed.
//! * A cell is given up without loss only where [`Cell::is_covered_by`] holds and it is ordered before
//!   the new access: whatever is not ordered after the one is then not ordered after the other either.
//!
//! Source: the shadow cells of ThreadSanitizer v3; the rules for replacing them are our own.
//!
//! Known misses: a granule remembers four accesses, three where there are atomics.

use core::arch::x86_64::{
    __m128i, _mm_and_si128, _mm_andnot_si128, _mm_castsi128_ps, _mm_cmpeq_epi32, _mm_loadu_si128,
    _mm_movemask_ps, _mm_or_si128, _mm_set1_epi32, _mm_setzero_si128, _mm_shuffle_epi32, _mm_slli_epi32,
    _mm_srai_epi32, _mm_xor_si128,
};

use super::layout::{CELLS, Cell};

/// The first two cells of a granule after access `new`, where there was none but `first`, of the same
/// slot or empty: nothing is to be compared.
#[inline(always)]
pub(super) fn alone(first: Cell, new: Cell) -> (Cell, Cell) {
    let joined = if first.same_but_bytes(new) { Cell(first.0 | new.0) } else { new };
    let is_kept = !first.is_empty() && !first.is_covered_by(joined);
    if is_kept { (first, joined) } else { (joined, Cell::EMPTY) }
}

/// What an access finds in its granule: a byte of bits for each cell, the first one's lowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found(u32);

/// The cell may be given up for the access.
const FREE: u32 = 1;
/// The cell is of the same slot, epoch and kind: the access continues it.
const SAME: u32 = 2;
/// The cell is of the same slot, but not [`SAME`].
const OWN: u32 = 4;
/// The cell conflicts and is not ordered before the access.
const RACE: u32 = 8;
/// The cell conflicts and is ordered before the access.
const MET: u32 = 16;

/// A bit for each cell.
const fn each(bit: u32) -> u32 {
    bit * 0x0101_0101
}

/// What access `new`, a write if `WRITE`, finds in one cell, which is not empty.
#[inline(always)]
fn state<const WRITE: bool>(cell: Cell, new: Cell, is_ordered: impl Fn(Cell) -> bool) -> u32 {
    let is_covered = cell.mask() & !new.mask() == 0 && (WRITE || cell.is_read());
    if cell.same_slot(new) {
        if cell.same_but_bytes(new) {
            return SAME;
        }
        return if is_covered && cell != Cell::ATOMICS { OWN | FREE } else { OWN };
    }
    if cell.mask() & new.mask() == 0 {
        return 0;
    }
    let conflicts = WRITE || !cell.is_read();
    if is_ordered(cell) {
        (if conflicts { MET } else { 0 }) | if is_covered { FREE } else { 0 }
    } else if conflicts {
        RACE
    } else {
        0
    }
}

/// What an access makes of a granule in which no more than two cells are in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    /// The first two cells afterwards.
    pub(super) first: Cell,
    pub(super) second: Cell,
    /// The conflicting ones that are ordered before the access; empty where there is none.
    pub(super) met: [Cell; 2],
}

/// The granule of `first`, which is not empty, and `second`, which may be, after access `new`. `None` if
/// it races or needs a third cell.
#[inline(always)]
pub(super) fn pair<const WRITE: bool>(
    first: Cell,
    second: Cell,
    new: Cell,
    is_ordered: impl Fn(Cell) -> bool,
) -> Option<Pair> {
    let one = state::<WRITE>(first, new, &is_ordered);
    let other = if second.is_empty() { FREE } else { state::<WRITE>(second, new, &is_ordered) };
    if (one | other) & RACE != 0 {
        return None;
    }
    let met = |cell: Cell, state: u32| if state & MET != 0 { cell } else { Cell::EMPTY };
    let met = [met(first, one), met(second, other)];
    let continued = |cell: Cell, state: u32| if state & SAME != 0 { cell.0 } else { 0 };
    let joined = Cell(new.0 | continued(first, one) | continued(second, other));
    let goes = |cell: Cell, state: u32| {
        state & (FREE | SAME) != 0 || (state & OWN != 0 && cell.is_covered_by(joined))
    };
    match (goes(first, one), goes(second, other)) {
        (true, true) => Some(Pair { first: joined, second: Cell::EMPTY, met }),
        (false, true) => Some(Pair { first, second: joined, met }),
        (true, false) => Some(Pair { first: joined, second, met }),
        (false, false) => None,
    }
}

/// Compares access `new`, a write if `WRITE`, with the cells of its granule. `is_ordered` says whether an
/// access of another thread is known to happen before this one.
#[inline(always)]
pub(super) fn compare<const WRITE: bool>(
    cells: [Cell; CELLS],
    new: Cell,
    is_ordered: impl Fn(Cell) -> bool,
) -> Found {
    let state = |cell: Cell| if cell.is_empty() { FREE } else { state::<WRITE>(cell, new, &is_ordered) };
    Found(u32::from_le_bytes(cells.map(|cell| state(cell) as u8)))
}

/// [`pair`] for an access to all bytes.
#[inline(always)]
pub(super) fn pair_whole<const WRITE: bool>(
    first: Cell,
    second: Cell,
    new: Cell,
    is_ordered: impl Fn(Cell) -> bool,
) -> Option<Pair> {
    let met = |cell: Cell| if cell.same_slot(new) { Cell::EMPTY } else { cell };
    if WRITE {
        if !is_ordered(first) || !is_ordered(second) {
            return None;
        }
        let other = if second.is_empty() { second } else { met(second) };
        return Some(Pair { first: new, second: Cell::EMPTY, met: [met(first), other] });
    }
    if first.is_read() {
        let kept = if is_ordered(first) { (new, Cell::EMPTY) } else { (first, new) };
        let pair = Pair { first: kept.0, second: kept.1, met: [Cell::EMPTY; 2] };
        return second.is_empty().then_some(pair);
    }
    let is_free = second.is_empty() || (second.is_read() && is_ordered(second));
    let pair = Pair { first, second: new, met: [met(first), Cell::EMPTY] };
    (is_free && is_ordered(first)).then_some(pair)
}

/// The set of the cells of which `lanes` has the highest bit.
#[inline(always)]
fn set(lanes: __m128i) -> u32 {
    // SAFETY: SSE is part of x86-64.
    unsafe { _mm_movemask_ps(_mm_castsi128_ps(lanes)).cast_unsigned() }
}

/// All bits of the cells that have none of `bits`.
#[inline(always)]
fn without(cells: __m128i, bits: u32) -> __m128i {
    // SAFETY: SSE2 is part of x86-64.
    unsafe { _mm_cmpeq_epi32(_mm_and_si128(cells, _mm_set1_epi32(bits.cast_signed())), _mm_setzero_si128()) }
}

/// The cells that conflict with access `new` and are of another slot. Bytes of none are in no conflict.
#[inline(always)]
pub(super) fn others(cells: __m128i, new: Cell) -> u32 {
    // SAFETY: SSE2 is part of x86-64.
    let (differs, kinds) =
        unsafe { (_mm_xor_si128(cells, _mm_set1_epi32(new.0.cast_signed())), _mm_slli_epi32::<31>(cells)) };
    let apart = set(without(cells, new.0 & !Cell::KEY));
    let reads = if new.is_read() { set(kinds) } else { 0 };
    !(set(without(differs, Cell::SLOT)) | apart | reads) & ((1 << CELLS) - 1)
}

/// All bits of one cell.
static LANE: [[u32; CELLS]; CELLS] = [[!0, 0, 0, 0], [0, !0, 0, 0], [0, 0, !0, 0], [0, 0, 0, !0]];

/// The granule of `cells` after access `new`, a write if `WRITE`. `cell_at` gives each by itself, and
/// `is_ordered` is asked of each that conflicts; `is_past` is the same, asked of others. `None` if it races or
/// a cell has to be given up for it that [`victim`] would not take first. For granules without atomics.
#[inline(always)]
pub(super) fn all<const WRITE: bool>(
    cells: __m128i,
    cell_at: impl Fn(usize) -> Cell,
    new: Cell,
    mut is_ordered: impl FnMut(Cell) -> bool,
    is_past: impl Fn(Cell) -> bool,
) -> Option<__m128i> {
    const MASK: u32 = 0xff00_0000;
    // SAFETY: SSE2 is part of x86-64, here and below.
    let (news, differs, kinds) = unsafe {
        let news = _mm_set1_epi32(new.0.cast_signed());
        (news, _mm_xor_si128(cells, news), _mm_slli_epi32::<31>(cells))
    };
    let (own, same) = (without(differs, Cell::SLOT), without(differs, Cell::KEY));
    let apart = set(without(cells, new.0 & MASK));
    let covered = set(without(cells, !new.0 & MASK)) & if WRITE { !0 } else { set(kinds) };
    let mut free = set(without(cells, !0)) | set(own) & covered;
    let mut others = !(set(own) | apart | if WRITE { 0 } else { set(kinds) }) & ((1 << CELLS) - 1);
    while others != 0 {
        if !is_ordered(cell_at(others.trailing_zeros() as usize)) {
            return None;
        }
        free |= others & others.wrapping_neg() & covered;
        others &= others - 1;
    }
    if set(same) != 0 {
        // By no way through other registers: the next access to the granule waits for this one's store.
        // SAFETY: see above.
        let after = unsafe {
            let continued = _mm_and_si128(cells, same);
            let pairs = _mm_or_si128(continued, _mm_shuffle_epi32::<0b0100_1110>(continued));
            let joined = _mm_or_si128(news, _mm_or_si128(pairs, _mm_shuffle_epi32::<0b1011_0001>(pairs)));
            let outgrown = _mm_and_si128(own, without(_mm_andnot_si128(joined, cells), MASK));
            let outgrown = _mm_andnot_si128(same, outgrown);
            let outgrown =
                if WRITE { outgrown } else { _mm_and_si128(outgrown, _mm_srai_epi32::<31>(kinds)) };
            _mm_andnot_si128(outgrown, _mm_or_si128(cells, _mm_and_si128(news, same)))
        };
        return Some(after);
    }
    if free == 0 {
        // SAFETY: see above.
        let reads = set(unsafe { _mm_slli_epi32::<31>(cells) });
        let past = |from: u32| (0..CELLS).find(|&at| from >> at & 1 != 0 && is_past(cell_at(at)));
        let covered_reads = if WRITE { 0 } else { reads & covered };
        free = 1 << past(covered_reads).or_else(|| past(reads))?;
    }
    // SAFETY: see above; `free` has no bit that is no cell's.
    let after = unsafe {
        let lane = _mm_loadu_si128(LANE.as_ptr().add(free.trailing_zeros() as usize).cast());
        _mm_or_si128(_mm_andnot_si128(lane, cells), _mm_and_si128(lane, news))
    };
    Some(after)
}

impl Found {
    #[inline(always)]
    const fn has(self, bit: u32) -> bool {
        self.0 & each(bit) != 0
    }

    /// Whether this was found of the cell with this index.
    const fn has_at(self, bit: u32, index: usize) -> bool {
        self.0 >> (8 * index) & bit != 0
    }

    /// Whether there are conflicting accesses that are not ordered before this one.
    pub(super) const fn is_racing(self) -> bool {
        self.has(RACE)
    }

    /// Whether the cell with this index is one of those.
    pub(super) const fn is_race(self, index: usize) -> bool {
        self.has_at(RACE, index)
    }

    /// Whether the cell with this index conflicts and is ordered before this access.
    pub(super) const fn is_met(self, index: usize) -> bool {
        self.has_at(MET, index)
    }

    /// Where to put the access; [`CELLS`] if another cell has to be given up for it.
    #[inline(always)]
    pub(super) const fn place(self) -> usize {
        let same = self.0 & each(SAME);
        let set = if same != 0 { same } else { self.0 & each(FREE) };
        (set.trailing_zeros() / 8) as usize
    }

    /// The cell of access `new`, if it goes where `there` is.
    #[inline(always)]
    pub(super) const fn joined(self, there: Cell, new: Cell) -> Cell {
        if self.has(SAME) { Cell(there.0 | new.0) } else { new }
    }

    /// The granule, which was `cells`, after the access, which is `store` and goes to `place`: with the
    /// thread's own cells left out that say nothing more.
    pub(super) fn tidied(self, cells: [Cell; CELLS], place: usize, store: Cell) -> [Cell; CELLS] {
        let is_marked = cells[CELLS - 1] == Cell::ATOMICS;
        let mut tidy = [Cell::EMPTY; CELLS];
        let mut next = 0;
        for (index, cell) in cells.into_iter().enumerate() {
            let is_stale = index != place && self.has_at(OWN, index) && cell.is_covered_by(store);
            let cell = if index == place { store } else { cell };
            if !cell.is_empty() && !is_stale && cell != Cell::ATOMICS {
                tidy[next] = cell;
                next += 1;
            }
        }
        if is_marked {
            tidy[CELLS - 1] = Cell::ATOMICS;
        }
        tidy
    }
}

/// Which cell to give up for access `new` when [`compare`] found no place, and whether what it says is
/// lost: it was not ordered before the new access. `start` is any number, the same for no two calls in a
/// row if possible.
pub(super) fn victim(cells: [Cell; CELLS], start: usize, is_ordered: impl Fn(Cell) -> bool) -> (usize, bool) {
    let count = if cells[CELLS - 1] == Cell::ATOMICS { CELLS - 1 } else { CELLS };
    let gives_way = |&index: &usize| cells[index].is_read() && is_ordered(cells[index]);
    match (0..count).find(gives_way) {
        Some(index) => (index, false),
        None => (start % count, !is_ordered(cells[start % count])),
    }
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

    fn compare(cells: [Cell; CELLS], new: Cell, is_ordered: impl Fn(Cell) -> bool) -> Found {
        if new.is_read() {
            super::compare::<false>(cells, new, is_ordered)
        } else {
            super::compare::<true>(cells, new, is_ordered)
        }
    }

    fn lanes(cells: [Cell; CELLS]) -> __m128i {
        // SAFETY: both are 16 bytes of plain numbers.
        unsafe { core::mem::transmute(cells) }
    }

    /// By the way of all four at once.
    fn at_once(
        cells: [Cell; CELLS],
        new: Cell,
        is_ordered: impl FnMut(Cell) -> bool,
        is_past: impl Fn(Cell) -> bool,
    ) -> Option<[Cell; CELLS]> {
        let after = if new.is_read() {
            all::<false>(lanes(cells), |at| cells[at], new, is_ordered, is_past)?
        } else {
            all::<true>(lanes(cells), |at| cells[at], new, is_ordered, is_past)?
        };
        // SAFETY: as in `lanes`.
        Some(unsafe { core::mem::transmute::<__m128i, [Cell; CELLS]>(after) })
    }

    /// The granule after the access, if all others are ordered before it.
    fn after(cells: [Cell; CELLS], new: Cell) -> [Cell; CELLS] {
        let found = compare(cells, new, |_| true);
        let place = found.place();
        found.tidied(cells, place, found.joined(cells[place], new))
    }

    #[test]
    fn two_cells_come_to_the_same_by_the_short_way() {
        let masks = [0x01, 0x0f, 0xf0, 0xff];
        let cells: Vec<Cell> = masks
            .into_iter()
            .flat_map(|mask| [(1, 3), (2, 3), (9, 3), (9, 7)].map(|(slot, epoch)| (mask, slot, epoch)))
            .flat_map(|(mask, slot, epoch)| [read(mask, slot, epoch), write(mask, slot, epoch)])
            .collect();
        let news = masks.into_iter().flat_map(|mask| [read(mask, 9, 7), write(mask, 9, 7)]);
        for new in news {
            for &first in &cells {
                for &second in cells.iter().chain([&EMPTY]) {
                    let granule = [first, second, EMPTY, EMPTY];
                    if first.same_but_bytes(second) {
                        continue;
                    }
                    let pair = if new.is_read() {
                        pair::<false>(first, second, new, |_| true)
                    } else {
                        pair::<true>(first, second, new, |_| true)
                    };
                    check_whole(first, second, new);
                    let long = after(granule, new);
                    let Some(pair) = pair else {
                        assert!(!long[2].is_empty(), "{granule:?} {new:?}");
                        continue;
                    };
                    let met = compare(granule, new, |_| true);
                    assert_eq!(pair.met.map(|cell| !cell.is_empty()), [met.is_met(0), met.is_met(1)]);
                    let mut short = [pair.first, pair.second, EMPTY, EMPTY];
                    let mut long = long;
                    // Where each goes does not matter, nor does it if one more is left out.
                    short.sort_by_key(|cell| cell.0);
                    long.sort_by_key(|cell| cell.0);
                    assert!(short == long || kept(&short, &long, new), "{granule:?} {new:?}");
                }
            }
        }
    }

    /// Whether all of `long` that is not in `short` is covered by the access.
    fn kept(short: &[Cell], long: &[Cell], new: Cell) -> bool {
        long.iter().all(|cell| short.contains(cell) || cell.is_covered_by(new))
    }

    /// What is said of an access to all bytes, where anything is, is what is said of any.
    fn check_whole(first: Cell, second: Cell, new: Cell) {
        for last in [1, 3, 7] {
            // A thread's own accesses are ordered.
            let is_ordered = |cell: Cell| cell.epoch() <= last || cell.same_slot(new);
            let (whole, any) = if new.is_read() {
                let whole = pair_whole::<false>(first, second, new, is_ordered);
                (whole, pair::<false>(first, second, new, is_ordered))
            } else {
                let whole = pair_whole::<true>(first, second, new, is_ordered);
                (whole, pair::<true>(first, second, new, is_ordered))
            };
            if new.mask() == 0xff
                && !first.same_but_bytes(new)
                && !second.same_but_bytes(new)
                && let Some(whole) = whole
            {
                let any = any.expect("no race and room");
                assert_eq!(whole.met, any.met, "{first:?} {second:?} {new:?}");
                assert!([whole.first, whole.second].contains(&new));
                for cell in [any.first, any.second] {
                    let is_there = cell == whole.first || cell == whole.second;
                    assert!(is_there || cell.is_covered_by(new), "{first:?} {second:?} {new:?}");
                }
            }
        }
    }

    #[test]
    fn a_race_is_left_to_the_long_way() {
        assert_eq!(pair::<true>(write(0xff, 1, 9), EMPTY, write(0xff, 9, 1), |_| false), None);
        assert_eq!(pair::<false>(write(0xff, 1, 9), EMPTY, read(0xff, 9, 1), |_| false), None);
        assert!(pair::<false>(read(0xff, 1, 9), EMPTY, read(0xff, 9, 1), |_| false).is_some());
    }

    fn set(found: Found, is: impl Fn(Found, usize) -> bool) -> u32 {
        (0..CELLS).map(|index| u32::from(is(found, index)) << index).sum()
    }

    #[test]
    fn the_first_access_takes_the_first_cell() {
        assert_eq!(alone(EMPTY, read(0xf, 1, 1)), (read(0xf, 1, 1), EMPTY));
        let found = compare([EMPTY; 4], write(1, 1, 1), |_| false);
        assert_eq!((found.place(), found.is_racing()), (0, false));
    }

    #[test]
    fn bytes_of_one_epoch_and_kind_are_joined_in_one_cell() {
        let joined = alone(write(0x0f, 1, 5), write(0xf0, 1, 5));
        assert_eq!(joined, (write(0xff, 1, 5), EMPTY));
        let cells = [write(0xff, 1, 4), write(0x7f, 1, 5), read(0x01, 1, 5), EMPTY];
        let tidy = [write(0xff, 1, 5), EMPTY, EMPTY, EMPTY];
        assert_eq!(after(cells, write(0x80, 1, 5)), tidy, "the whole covers the older write and the read");
        let cells = [write(0xff, 1, 4), write(0x7f, 1, 5), read(0xff, 2, 1), Cell::ATOMICS];
        let tidy = [write(0xff, 1, 5), read(0xff, 2, 1), EMPTY, Cell::ATOMICS];
        assert_eq!(after(cells, write(0x80, 1, 5)), tidy);
    }

    #[test]
    fn four_cells_come_to_the_same_at_once_as_one_by_one() {
        let kinds: Vec<Cell> = [0x0f, 0xf0, 0xff]
            .into_iter()
            .flat_map(|mask| [(1, 3), (0, 2), (9, 3), (9, 7)].map(|(slot, epoch)| (mask, slot, epoch)))
            .flat_map(|(mask, slot, epoch)| [read(mask, slot, epoch), write(mask, slot, epoch)])
            .chain([EMPTY])
            .collect();
        let mut state = 1_u64;
        let mut next = |bound: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % bound
        };
        for _ in 0..200_000 {
            let cells: [Cell; CELLS] = core::array::from_fn(|_| kinds[next(kinds.len())]);
            let (mask, slot) = ([0x0f, 0xf0, 0x01, 0xff][next(4)], [9, 0][next(2)]);
            let new = if next(2) == 0 { read(mask, slot, 7) } else { write(mask, slot, 7) };
            if cells.iter().filter(|cell| cell.same_but_bytes(new)).count() > 1 {
                continue;
            }
            let last = 1 + next(3) as u32;
            let is_ordered = |cell: Cell| cell.epoch() <= last;
            let gives_way = |cell: Cell| cell.is_read() && is_ordered(cell);
            let found = compare(cells, new, is_ordered);
            let mut met = Vec::new();
            let meets = |cell| {
                met.push(cell);
                is_ordered(cell)
            };
            let after = at_once(cells, new, meets, is_ordered);
            let Some(after) = after else {
                let is_full = found.place() == CELLS && cells.into_iter().all(|cell| !gives_way(cell));
                assert!(found.is_racing() || is_full, "{cells:?} {new:?}");
                continue;
            };
            assert!(!found.is_racing());
            let all = (0..CELLS).filter(|&at| found.is_met(at)).map(|at| cells[at]);
            assert_eq!(met, all.collect::<Vec<_>>());
            assert!(after.iter().any(|cell| cell.same_but_bytes(new) && new.mask() & !cell.mask() == 0));
            for (before, after) in cells.into_iter().zip(after) {
                let joined = Cell(before.0 | new.0);
                let is_kept = after == before || (before.same_but_bytes(new) && after == joined);
                let own = after.is_empty() && before.same_slot(new);
                let whole = compare(cells, new, is_ordered);
                let store = whole.joined(cells[whole.place() % CELLS], new);
                let is_given_up = (after == new || own) && before.is_covered_by(store);
                let is_given_up =
                    is_given_up || (whole.place() == CELLS && after == new && gives_way(before));
                assert!(is_kept || is_given_up || before.is_empty(), "{cells:?} {new:?} {after:?}");
            }
        }
    }

    #[test]
    fn a_later_read_keeps_the_own_write_and_a_later_write_forgets_the_own_read() {
        let both = (write(0xff, 1, 1), read(0xff, 1, 2));
        assert_eq!(alone(write(0xff, 1, 1), read(0xff, 1, 2)), both);
        assert_eq!(alone(read(0xff, 1, 2), write(0xff, 1, 3)), (write(0xff, 1, 3), EMPTY));
        let cells = [both.0, both.1, EMPTY, EMPTY];
        assert_eq!(compare(cells, read(0xff, 1, 3), |_| false).place(), 1);
        assert_eq!(after(cells, write(0xff, 1, 3)), [write(0xff, 1, 3), EMPTY, EMPTY, EMPTY]);
    }

    #[test]
    fn no_byte_that_was_accessed_is_forgotten_for_one_that_was_not() {
        let kept = alone(write(0xff, 1, 1), write(0x01, 1, 2));
        assert_eq!(kept, (write(0xff, 1, 1), write(0x01, 1, 2)));
        let cells = [write(0x03, 1, 1), read(0x0c, 1, 1), EMPTY, EMPTY];
        assert_eq!(after(cells, write(0x10, 1, 2)), [cells[0], cells[1], write(0x10, 1, 2), EMPTY]);
        let cells = [write(0xff, 1, 4), write(0x01, 1, 5), EMPTY, EMPTY];
        assert_eq!(after(cells, write(0x02, 1, 5)), [cells[0], write(0x03, 1, 5), EMPTY, EMPTY]);
    }

    #[test]
    fn a_write_races_with_reads_and_writes_of_others_and_a_read_only_with_writes() {
        let cells = [write(0xff, 1, 3), read(0xff, 2, 3), write(0x0f, 3, 3), EMPTY];
        let races = |new, ordered: bool| set(compare(cells, new, |_| ordered), Found::is_race);
        assert_eq!(races(write(0xf0, 9, 1), false), 0b011);
        assert_eq!(races(read(0x01, 9, 1), false), 0b101);
        assert_eq!(races(write(0xff, 9, 1), true), 0);
        assert_eq!(set(compare(cells, write(0xff, 9, 1), |_| true), Found::is_met), 0b111);
    }

    #[test]
    fn the_others_are_the_races_if_nothing_is_ordered() {
        let kinds = [(0x0f, 1, 3), (0xf0, 1, 4), (0xff, 2, 3), (0x0f, 9, 3), (0xff, 9, 7)];
        let kinds = kinds
            .into_iter()
            .flat_map(|(mask, slot, epoch)| [read(mask, slot, epoch), write(mask, slot, epoch)]);
        let kinds: Vec<Cell> = kinds.chain([EMPTY]).collect();
        for new in [read(0x03, 9, 7), write(0x03, 9, 7), read(0xff, 9, 7), write(0xf0, 9, 7)] {
            for &first in &kinds {
                for &second in &kinds {
                    let cells = [first, EMPTY, second, Cell::ATOMICS];
                    let races = set(compare(cells, new, |_| false), Found::is_race);
                    assert_eq!(others(lanes(cells), new), races, "{cells:?} {new:?}");
                }
            }
        }
    }

    #[test]
    fn only_those_ordered_before_are_no_races() {
        let cells = [write(0xff, 1, 3), write(0xff, 2, 9), EMPTY, EMPTY];
        let found = compare(cells, write(0xff, 9, 1), |cell| cell.epoch() <= 5);
        assert_eq!((set(found, Found::is_met), set(found, Found::is_race)), (0b01, 0b10));
        assert!(found.is_racing());
        assert_eq!(found.place(), 0, "what is ordered before and covered is given up");
    }

    #[test]
    fn the_unordered_keep_their_cells_and_the_covering_write_survives_a_read() {
        let cells = [write(0xff, 1, 9), write(0xff, 2, 1), EMPTY, EMPTY];
        assert_eq!(compare(cells, read(0xff, 9, 1), |cell| cell.epoch() <= 5).place(), 2);
        let found = compare([write(0xff, 1, 1); 4], read(0xff, 9, 1), |_| true);
        assert_eq!(found.place(), CELLS);
    }

    #[test]
    fn an_access_is_joined_to_its_own_cell_behind_others() {
        let cells = [read(0x01, 9, 6), read(0xff, 2, 1), write(0x01, 9, 7), EMPTY];
        let joined = [read(0xff, 2, 1), write(0x03, 9, 7), EMPTY, EMPTY];
        assert_eq!(after(cells, write(0x02, 9, 7)), joined);
    }

    #[test]
    fn atomics_are_no_access_even_to_the_thread_in_the_last_slot() {
        let cells = [EMPTY, EMPTY, EMPTY, Cell::ATOMICS];
        let found = compare(cells, read(0xff, 255, 0x7ffe), |_| false);
        assert_eq!((found.place(), found.is_racing()), (0, false));
        let cells = [write(0xff, 1, 1), write(0xff, 2, 1), write(0xff, 3, 1), Cell::ATOMICS];
        assert_eq!(compare(cells, read(0xff, 255, 0x7ffe), |_| true).place(), CELLS);
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
