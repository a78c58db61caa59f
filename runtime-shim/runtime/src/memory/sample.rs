//! What is recorded of accesses that race with nothing: the first conflicting ones of each kind, or every
//! access.
//!
//! Conflicting accesses that are ordered come by the millions from a few pairs of places. Of each pair the
//! first [`FIRST`] are recorded and then those whose number is a power of two: what a predictor needs to
//! ask whether another order was possible. A thread first counts by its own place, the other's slot and
//! the kinds, in a table of its slot, so that only what passes there has its earlier place looked up; then
//! all threads count the pairs. What came often is counted once in some
//! parts of the history only. With many threads some slots are counted as one.
//!
//! Known misses: a table counts about two thousand such keys and the process sixteen thousand pairs; what
//! comes after that is not recorded.

use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};

use snag_trace::layout::MEMORY_ENV;

use super::history::{FREQUENT, History};
use super::layout::Cell;
use super::maps;
use crate::recorder;

/// How many of each are recorded at first.
const FIRST: u32 = 4;
/// Keys of a table.
const KEYS: usize = 1 << 11;
/// Tables. Slots that are this far apart share one.
const TABLES_KEPT: usize = 16;
/// Slots of the other side that are told apart.
const OTHERS: usize = 8;
/// Pairs of places of the process.
const PAIRS: usize = 1 << 14;
/// Places that are tried for a key.
const TRIES: usize = 8;

static ALL: AtomicBool = AtomicBool::new(false);
/// Whether some accesses are to be looked at that the slow path would not look at: all, or those to memory
/// that processes share.
static UNUSUAL: AtomicBool = AtomicBool::new(false);
static TABLES: AtomicPtr<AtomicU64> = AtomicPtr::new(null_mut());
static PAIR_COUNTS: [AtomicU64; PAIRS] = [const { AtomicU64::new(0) }; PAIRS];

unsafe extern "C" {
    fn getenv(name: *const core::ffi::c_char) -> *const core::ffi::c_char;
}

/// Looks at the environment and makes room for the counts.
pub(super) fn start() {
    let mut name = [0_u8; 32];
    name[..MEMORY_ENV.len()].copy_from_slice(MEMORY_ENV.as_bytes());
    // SAFETY: the name ends with NUL.
    let value = unsafe { getenv(name.as_ptr().cast()) };
    // SAFETY: what `getenv` gives, if not null, ends with NUL.
    if !value.is_null() && unsafe { core::ffi::CStr::from_ptr(value) } == c"all" {
        ALL.store(true, Ordering::Relaxed);
        set_unusual();
    }
    TABLES.store(maps::reserve(TABLES_KEPT * KEYS * size_of::<AtomicU64>()).cast(), Ordering::Release);
}

/// From now on the slow path looks at what is unusual.
pub(super) fn set_unusual() {
    UNUSUAL.store(true, Ordering::Relaxed);
}

/// Whether the slow path looks at what is unusual.
#[inline(always)]
pub(super) fn is_unusual() -> bool {
    UNUSUAL.load(Ordering::Relaxed)
}

/// Whether every access is to be recorded.
#[inline(always)]
pub(super) fn records_all() -> bool {
    ALL.load(Ordering::Relaxed)
}

/// Whether the instance with this number, from 1, is recorded; 0 was not counted and is not.
#[inline(always)]
pub(super) const fn is_recorded(count: u32) -> bool {
    count.wrapping_sub(1) < FIRST || count.is_power_of_two()
}

/// Counts `key`, which is not 0, in `table`, whose length is a power of two; gives how often it has come,
/// 0 if there is no room for it. Of two threads that count at once, one may be missed.
#[inline(always)]
fn count(table: &[AtomicU64], key: u32, hash: usize) -> u32 {
    let entry = &table[hash & (table.len() - 1)];
    let there = entry.load(Ordering::Relaxed);
    if (there >> 32) as u32 == key {
        entry.store(there + 1, Ordering::Relaxed);
        return there as u32 + 1;
    }
    count_elsewhere(table, key, hash)
}

#[inline(never)]
fn count_elsewhere(table: &[AtomicU64], key: u32, hash: usize) -> u32 {
    for step in 0..TRIES {
        let entry = &table[(hash + step) & (table.len() - 1)];
        let there = entry.load(Ordering::Relaxed);
        if there == 0 || (there >> 32) as u32 == key {
            let next = (there as u32).saturating_add(1);
            entry.store(u64::from(key) << 32 | u64::from(next), Ordering::Relaxed);
            return next;
        }
    }
    0
}

fn mix(one: u32, other: u32) -> u64 {
    (u64::from(one) << 32 | u64::from(other)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// How often the thread in `slot`, at the code `code`, met an access of `other` before in this way.
/// `kinds` is any number below 8. 0 if that is not counted.
#[inline(always)]
pub(super) fn times(slot: usize, code: u32, other: usize, kinds: u32) -> u32 {
    let tables = TABLES.load(Ordering::Relaxed);
    if tables.is_null() {
        return 0;
    }
    // SAFETY: `start` made room for this many; zeros are counts.
    let table = unsafe { core::slice::from_raw_parts(tables.add(slot % TABLES_KEPT * KEYS), KEYS) };
    let way = ((other % OTHERS) as u32) << 3 | kinds;
    // One to one for each way; codes that are the same but for their upper bits are far apart.
    let key = code.rotate_left(6) ^ way | 1 << 31;
    count(table, key, (code ^ code >> 11) as usize * 5 + way as usize)
}

/// The number of a meeting of an access at `code` with `cell`, and where a thread has it if it is
/// frequent. Few instructions, as nearly every access to shared memory asks.
#[inline(always)]
const fn meeting(code: u32, cell: Cell) -> (u32, usize) {
    let key = code.wrapping_add(cell.0 & (Cell::SLOT | 1));
    (key, key.wrapping_add(key >> 16) as usize % FREQUENT)
}

/// Whether the meeting of an access at `code` with `cell`, both ordered, may have to be told.
/// [`is_wanted`] says whether it is.
#[inline(always)]
pub(super) fn is_rare(history: &History, code: u32, cell: Cell) -> bool {
    if !recorder::is_kept() {
        return false;
    }
    let (key, at) = meeting(code, cell);
    history.frequent[at] != key
}

/// Counts a meeting that was rare so far; whether it is worth looking up where the earlier access was
/// made. Once there were enough, it is passed over for some parts of the history.
pub(super) fn is_wanted(history: &mut History, new: Cell, code: u32, cell: Cell) -> bool {
    let kinds = u32::from(new.is_read()) << 1 | u32::from(cell.is_read());
    let times = times(new.slot(), code, cell.slot(), kinds);
    if times >= FIRST || times == 0 {
        let (key, at) = meeting(code, cell);
        history.frequent[at] = key;
    }
    is_recorded(times)
}

/// Whether a race that has come this often in this way, 0 if it was not counted, is worth looking up:
/// its earlier place may be another one than before.
pub(super) const fn is_race_looked_up(times: u32) -> bool {
    times <= 64 || times.is_power_of_two()
}

/// Whether this meeting of two places is to be recorded.
pub(super) fn is_pair_wanted(code: u32, earlier: u32, kinds: u32) -> bool {
    if !recorder::is_kept() {
        return false;
    }
    let hash = mix(code, earlier) ^ mix(kinds, code);
    let times = count(&PAIR_COUNTS, (hash >> 32) as u32 | 1, (hash >> 18) as usize);
    is_recorded(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_then_ever_fewer_are_recorded() {
        let recorded: Vec<u32> = (1..100).filter(|_| is_pair_wanted(0xabc, 0xdef, 1)).collect();
        assert_eq!(recorded, [1, 2, 3, 4, 8, 16, 32, 64]);
        assert!(is_pair_wanted(0xabc, 0xdef, 2), "other kinds are counted by themselves");
    }

    #[test]
    fn a_full_table_counts_no_more_and_forgets_nothing() {
        let table: Vec<AtomicU64> = (0..64).map(|_| AtomicU64::new(0)).collect();
        let counted = (1..=1000_u32).filter(|&key| count(&table, key, key as usize * 7) != 0).count();
        assert!((50..=64).contains(&counted), "{counted}");
        assert_eq!(count(&table, 1, 7), 2);
    }

    #[test]
    fn slots_count_by_themselves() {
        if TABLES.load(Ordering::Relaxed).is_null() {
            start();
        }
        assert!((1..=3).all(|time| times(250, 0x77, 9, 0) == time));
        assert_eq!(times(251, 0x77, 9, 0), 1);
    }
}
