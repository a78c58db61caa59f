//! What is said of two accesses that met in a granule: a race, or a sample of what is ordered.
//!
//! Invariants:
//! * A race is one by happens-before alone; everything here only finds out where the earlier access was
//!   made and what lies there, and may fail at that without harm.
//! * Each pair of places is told once as a race, the first sight of it at once: the process may be killed.
//! * Nothing here is seen by the layer itself: the thread ignores its accesses meanwhile.

use core::sync::atomic::{AtomicU64, Ordering};

use snag_trace::memory::{self, Access, AccessKind, Block, Conflict, MAX_STACK, Ordering as Order, Region};
use snag_trace::{Kind, Mode};

use super::cells::Found;
use super::event::{Event, Nature};
use super::layout::{self, CELLS, Cell, GRANULE};
use super::place::{self, Place};
use super::thread::Thread;
use super::{block, counts, observed, ring, sample, start, sync_var};
use crate::recorder::{self, At};

/// An access that the calling thread is making.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) address: usize,
    /// In bytes.
    pub(super) size: usize,
    pub(super) kind: AccessKind,
    pub(super) ordering: Order,
    /// As [`Access::value`].
    pub(super) value: u64,
    /// Return address into the program.
    pub(super) pc: usize,
    /// Where it was made, if the thread has gone on since.
    pub(super) past: Option<Place>,
}

/// An access that another thread made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Earlier {
    /// The recorder's number of the thread, 0 if it is not known.
    pub(super) thread: u32,
    /// Its slot and epoch.
    pub(super) slot: usize,
    pub(super) epoch: u32,
    pub(super) address: usize,
    /// In bytes.
    pub(super) size: usize,
    pub(super) kind: AccessKind,
    pub(super) ordering: Order,
    /// As [`Access::value`].
    pub(super) value: u64,
    /// As [`Access::after`].
    pub(super) after: u64,
    /// Default if it is not known.
    pub(super) place: Place,
}

const fn kind_of(nature: Nature, read: bool) -> AccessKind {
    match (nature, read) {
        (Nature::Plain, true) => AccessKind::Read,
        (Nature::Plain, false) => AccessKind::Write,
        (Nature::Volatile, true) => AccessKind::VolatileRead,
        (Nature::Volatile, false) => AccessKind::VolatileWrite,
        (Nature::Free, _) => AccessKind::Free,
    }
}

impl Now {
    /// A plain access, of which `cell` is what was done to the granule of `address`; `range` is what it
    /// belongs to, empty if it is the whole.
    fn plain(address: usize, cell: Cell, nature: Nature, pc: usize, range: (usize, usize)) -> Now {
        let first = address & !(GRANULE - 1) | cell.mask().trailing_zeros() as usize;
        let is_in_range = first.wrapping_sub(range.0) < range.1;
        let (address, size) = if is_in_range { range } else { (first, cell.mask().count_ones() as usize) };
        let kind = kind_of(nature, cell.is_read());
        Now { address, size, kind, ordering: Order::NotAtomic, value: 0, pc, past: None }
    }
}

impl Earlier {
    /// The access that `cell` stands for, as the last `parts` that the history of its slot has of that
    /// time know it. `address` is any in its granule, `mask` the bytes that matter.
    fn plain(cell: Cell, address: usize, mask: u32, parts: usize) -> Earlier {
        let known = ring::find(cell, address, mask & cell.mask(), parts);
        let (first, size) =
            (address & !(GRANULE - 1) | cell.mask().trailing_zeros() as usize, cell.mask().count_ones());
        Earlier {
            thread: known.map_or(0, |past| past.thread),
            slot: cell.slot(),
            epoch: cell.epoch(),
            address: known.map_or(first, |past| past.address),
            size: known.map_or(size as usize, |past| past.size),
            kind: kind_of(known.map_or(Nature::Plain, |past| past.nature), cell.is_read()),
            ordering: Order::NotAtomic,
            value: 0,
            after: known.map_or(0, |past| past.after),
            place: known.map_or(Place::default(), |past| past.place),
        }
    }
}

/// A plain access met races, or atomics, in its granule.
///
/// # Safety
/// `thread` is the calling thread's, not ignoring.
#[cold]
#[inline(never)]
pub(super) unsafe fn met(
    thread: *mut Thread,
    address: usize,
    pc: usize,
    new: Cell,
    nature: Nature,
    before: [Cell; CELLS],
    found: Found,
) {
    // SAFETY: the caller's promise, here and below.
    let now = unsafe { Now::plain(address, new, nature, pc, (*thread).range) };
    for (index, cell) in before.into_iter().enumerate() {
        if !found.is_race(index) {
            continue;
        }
        let kinds = 4 | u32::from(new.is_read()) << 1 | u32::from(cell.is_read());
        let times = sample::times(new.slot(), place::code_of(pc), cell.slot(), kinds);
        if sample::is_race_looked_up(times) {
            // SAFETY: see above.
            unsafe { race(thread, &now, &Earlier::plain(cell, address, new.mask(), usize::MAX)) };
        } else {
            counts::REPEATS.add();
        }
    }
    if before[CELLS - 1] == Cell::ATOMICS {
        for earlier in sync_var::atomic_races(address, new.mask(), !new.is_read()).into_iter().flatten() {
            // SAFETY: see above.
            unsafe { race(thread, &now, &earlier) };
        }
    }
}

/// The calling thread has done `event`, a while ago: its cell was `new`. That races with `cell`, and neither
/// thread saw it.
///
/// # Safety
/// As [`met`].
#[cold]
#[inline(never)]
pub(super) unsafe fn overlooked(thread: *mut Thread, event: Event, new: Cell, cell: Cell) {
    let place = event.place();
    let kinds = 4 | u32::from(new.is_read()) << 1 | u32::from(cell.is_read());
    if !sample::is_race_looked_up(sample::times(new.slot(), place.code(), cell.slot(), kinds)) {
        return counts::REPEATS.add();
    }
    // SAFETY: the caller's promise, here and below.
    let stack = unsafe { (*thread).stack.0 };
    let address = layout::whole_address(event.address(), place::base(), stack);
    // What may have been unmapped unseen is not spoken of.
    if block::of(address, &mut [0; MAX_STACK]).region == Region::Unknown {
        return;
    }
    let pc = place::address_of(place.code()) as usize;
    let now = Now { past: Some(place), ..Now::plain(address, new, event.nature(), pc, (0, 0)) };
    // SAFETY: see above.
    unsafe { race(thread, &now, &Earlier::plain(cell, address, new.mask(), usize::MAX)) };
}

/// Parts of the history in which the earlier access of a sample is searched.
const SAMPLE_PARTS: usize = 8;

/// Counts a meeting of two plain accesses that are ordered, and tells of it if there were not enough of
/// its kind.
///
/// # Safety
/// As [`met`].
#[cold]
#[inline(never)]
pub(super) unsafe fn ordered(
    thread: *mut Thread,
    address: usize,
    pc: usize,
    new: Cell,
    nature: Nature,
    cell: Cell,
) {
    // SAFETY: the caller's promise, here and below.
    let history = unsafe { &mut (*thread).history };
    if !sample::is_wanted(history, new, pc as u32, cell) {
        return;
    }
    // SAFETY: see above.
    let now = unsafe { Now::plain(address, new, nature, pc, (*thread).range) };
    let earlier = Earlier::plain(cell, address, new.mask(), SAMPLE_PARTS);
    let kinds = (now.kind as u32) << 4 | earlier.kind as u32;
    let is_known = earlier.place != Place::default();
    if is_known && sample::is_pair_wanted(place::code_of(pc), earlier.place.code(), kinds) {
        // SAFETY: see above.
        unsafe { tell(thread, Kind::Conflict, &now, &earlier) };
    }
}

/// An atomic access, `now`, met a plain one that nothing orders, of which `cell` is in the granule of
/// `address`.
///
/// # Safety
/// `thread` is the calling thread's.
#[cold]
#[inline(never)]
pub(super) unsafe fn race_with_cell(thread: *mut Thread, now: &Now, cell: Cell, address: usize) {
    let code = place::code_of(now.pc);
    // SAFETY: the caller's promise.
    let slot = unsafe { (*thread).slot };
    if !sample::is_race_looked_up(sample::times(slot as usize, code, cell.slot(), 4 | now.kind as u32 & 3)) {
        return counts::REPEATS.add();
    }
    // SAFETY: the caller's promise.
    unsafe { race(thread, now, &Earlier::plain(cell, address, cell.mask(), usize::MAX)) };
}

/// Pairs of places that raced, as hashes; a full table tells no more.
static TOLD: [AtomicU64; 1 << 12] = [const { AtomicU64::new(0) }; 1 << 12];

/// Whether the two places are told as a race for the first time.
fn is_new(now: &Now, earlier: &Earlier) -> bool {
    let side = |code: u32, kind: AccessKind| u64::from(code) << 4 | kind as u64;
    let here = side(place::code_of(now.pc), now.kind);
    let there = side(earlier.place.code(), earlier.kind);
    let key = (here.min(there) << 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) ^ here.max(there);
    let key = key.wrapping_mul(0xd6e8_feb8_6659_fd93) | 1;
    for step in 0..64 {
        let told = &TOLD[((key >> 50) as usize + step) & (TOLD.len() - 1)];
        match told.compare_exchange(0, key, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return true,
            Err(there) if there == key => return false,
            Err(_) => {}
        }
    }
    false
}

/// Tells of a race between what the calling thread does and what another did.
///
/// # Safety
/// `thread` is the calling thread's.
#[cold]
#[inline(never)]
pub(super) unsafe fn race(thread: *mut Thread, now: &Now, earlier: &Earlier) {
    if !start::is_trusted() {
        return;
    }
    if !is_new(now, earlier) {
        return counts::REPEATS.add();
    }
    if earlier.place == Place::default() {
        counts::PLACES_LOST.add();
    }
    // SAFETY: the caller's promise.
    unsafe { tell(thread, Kind::DataRace, now, earlier) };
    #[cfg(snag_explore)]
    crate::engine::controlled::raced(place::code_of(now.pc) as usize, earlier.place.code() as usize);
}

/// # Safety
/// `thread` is the calling thread's.
#[cold]
#[inline(never)]
unsafe fn tell(thread: *mut Thread, kind: Kind, now: &Now, earlier: &Earlier) {
    // SAFETY: the caller's promise.
    unsafe {
        // A thread of which nothing is recorded has no name yet, and would have none: a sample can wait.
        if kind == Kind::Conflict && (*thread).seq == 0 {
            return;
        }
        (*thread).ignore += 1;
        write(&*thread, kind, now, earlier);
        (*thread).ignore -= 1;
    }
}

fn write(thread: &Thread, kind: Kind, now: &Now, earlier: &Earlier) {
    let (mut here, mut there, mut born) = ([0; MAX_STACK], [0; MAX_STACK], [0; MAX_STACK]);
    let here_len = match now.past {
        Some(place) => place.stack(&mut here),
        None => super::stack_at(now.pc, &mut here),
    };
    let there_len = earlier.place.stack(&mut there);
    let block = block::of(now.address, &mut born);
    let current = Access {
        thread: thread.number,
        kind: now.kind,
        ordering: now.ordering,
        size: now.size as u32,
        address: now.address as u64,
        after: thread.seq,
        value: now.value,
        stack: &here[..here_len],
    };
    let previous = Access {
        thread: earlier.thread,
        kind: earlier.kind,
        ordering: earlier.ordering,
        size: earlier.size as u32,
        address: earlier.address as u64,
        after: earlier.after,
        value: earlier.value,
        stack: &there[..there_len],
    };
    let block = Block {
        region: block.region,
        thread: block.thread,
        base: block.base as u64,
        size: block.size as u64,
        stack: &born[..block.stack],
    };
    let weak =
        if kind == Kind::DataRace { observed::weak_read(thread, earlier.slot, earlier.epoch) } else { None };
    let (mut stored, mut loaded) = ([0; MAX_STACK], [0; MAX_STACK]);
    let weak = weak.map(|read| read.tell(&mut stored, &mut loaded));
    let payload = memory::conflict(&Conflict { current, previous, block, weak });
    recorder::record_long(kind, Mode::None, At::Code(now.pc), payload.as_slice());
}
