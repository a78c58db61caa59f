//! The rings of events, one per slot, from which the access that a cell stands for is found again.
//!
//! A ring is made of parts of 4 KiB. A part belongs to one thread, begins with a marker and is cleared
//! when it is handed out.
//!
//! Invariants:
//! * The number of its part is read before and after a search through it: what was handed out anew
//!   meanwhile is not believed.
//! * Behind the last part of a ring there is room for another one, see [`super::history`].
//!
//! Known misses: only the last 1 MiB (256 KiB in slots from 64 on) of a slot's events are kept, and of slots
//! without a thread not more than 8 MiB together, the last left first; a thread that lost its slot to
//! another one and did not yet notice has its events searched in the wrong order.

use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use super::event::{Event, Nature};
use super::layout::{Cell, GRANULE};
use super::place::Place;
use super::{kernel, maps};

/// Slots that threads can have.
const SLOTS: usize = 256;
/// Events of a part.
pub(super) const PART: usize = 256;
/// Bytes of a part.
pub(super) const PART_BYTES: usize = PART * size_of::<Event>();

/// An access that was found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Past {
    /// The recorder's number of its thread.
    pub(super) thread: u32,
    /// Sequence number of the last event that its thread had recorded.
    pub(super) after: u64,
    pub(super) place: Place,
    pub(super) nature: Nature,
    pub(super) address: usize,
    pub(super) size: usize,
}

/// The events of one slot.
pub(super) struct Ring {
    base: AtomicPtr<Event>,
    /// How many parts were ever handed out: the last one has the number below.
    taken: AtomicU32,
    /// Parts with smaller numbers are forgotten.
    first: AtomicU32,
    /// How many of its parts hold memory.
    pub(super) resident: AtomicU32,
    /// How many threads write to it.
    writers: AtomicU32,
    /// When the last one left it, in departures.
    left: AtomicU32,
}

/// Parts that may hold memory, of all rings...
const KEPT: u32 = 2048;
/// ... and for each ring that a thread writes to.
const KEPT_PER_WRITER: u32 = 256;

/// Parts of all rings that hold memory.
static RESIDENT: AtomicU32 = AtomicU32::new(0);
/// Threads that write to a ring.
static WRITERS: AtomicU32 = AtomicU32::new(0);
/// How often a thread left a ring.
static DEPARTURES: AtomicU32 = AtomicU32::new(0);

static RINGS: [Ring; SLOTS] = [const { Ring::new() }; SLOTS];

/// The ring of `slot`.
pub(super) fn ring(slot: usize) -> &'static Ring {
    &RINGS[slot % SLOTS]
}

/// Where those write that have no ring because there is no memory: nothing is found there.
struct Nowhere(core::cell::UnsafeCell<[Event; 2 * PART]>);

// SAFETY: only written, by any number of threads, with plain numbers that nobody reads.
unsafe impl Sync for Nowhere {}

#[repr(align(4096))]
struct Aligned(Nowhere);

static NOWHERE: Aligned = Aligned(Nowhere(core::cell::UnsafeCell::new([Event(0, 0); 2 * PART])));

/// Whether what is written there is found by nobody.
pub(super) fn is_nowhere(event: *const Event) -> bool {
    event.addr().wrapping_sub(NOWHERE.0.0.get().addr()) < 2 * PART_BYTES
}

/// Parts of the ring of `slot`.
pub(super) const fn parts(slot: usize) -> usize {
    if slot < 64 { 256 } else { 64 }
}

impl Ring {
    const fn new() -> Ring {
        Ring {
            base: AtomicPtr::new(null_mut()),
            taken: AtomicU32::new(0),
            first: AtomicU32::new(0),
            resident: AtomicU32::new(0),
            writers: AtomicU32::new(0),
            left: AtomicU32::new(0),
        }
    }

    /// The ring's memory, one part more than it has; null if there is none.
    fn memory(&self, parts: usize) -> *mut Event {
        let there = self.base.load(Ordering::Acquire);
        if !there.is_null() {
            return there;
        }
        let new: *mut Event = maps::reserve((parts + 1) * PART_BYTES).cast();
        if new.is_null() {
            return new;
        }
        match self.base.compare_exchange(null_mut(), new, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => new,
            // Two threads took over the slot at once; the room is lost, its pages are untouched.
            Err(winner) => winner,
        }
    }

    /// Hands out a part: gives its number and its first event, behind which all is cleared.
    pub(super) fn take(&self, parts: usize) -> (u32, *mut Event) {
        let base = self.memory(parts);
        if base.is_null() {
            return (0, NOWHERE.0.0.get().cast());
        }
        let part = self.taken.fetch_add(1, Ordering::AcqRel);
        if (self.resident.load(Ordering::Relaxed) as usize) < parts {
            self.resident.fetch_add(1, Ordering::Relaxed);
            let resident = RESIDENT.fetch_add(1, Ordering::Relaxed) + 1;
            if resident > KEPT + KEPT_PER_WRITER * WRITERS.load(Ordering::Relaxed) {
                shrink();
            }
        }
        // SAFETY: within the ring's memory.
        let start = unsafe { base.add(part as usize % parts * PART) };
        // SAFETY: as above; the part is the caller's, and who searches it does so by volatile reads.
        // The marker goes first, see the module.
        unsafe {
            start.write_volatile(Event(0, 0));
            core::sync::atomic::compiler_fence(Ordering::SeqCst);
            start.add(1).write_bytes(0, PART - 1);
        }
        (part, start)
    }

    /// Forgets all events and gives their memory back.
    pub(super) fn drop_memory(&self, parts: usize) {
        let resident = self.resident.swap(0, Ordering::Relaxed);
        RESIDENT.fetch_sub(resident, Ordering::Relaxed);
        self.forget();
        let base = self.base.load(Ordering::Acquire);
        if !base.is_null() {
            // SAFETY: the ring's own memory. Who searches it finds zeros, which are no marker; who has just
            // begun to write to it loses events.
            unsafe { kernel::drop_pages(base.addr(), (parts + 1) * PART_BYTES) };
        }
    }

    /// A thread writes to it from now on.
    pub(super) fn enter(&self) {
        self.writers.fetch_add(1, Ordering::Relaxed);
        WRITERS.fetch_add(1, Ordering::Relaxed);
    }

    /// A thread does not write to it any more.
    pub(super) fn leave(&self) {
        self.left.store(DEPARTURES.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        self.writers.fetch_sub(1, Ordering::Relaxed);
        WRITERS.fetch_sub(1, Ordering::Relaxed);
    }

    /// Forgets all events: the slot's epochs begin anew.
    pub(super) fn forget(&self) {
        self.first.store(self.taken.load(Ordering::Acquire), Ordering::Release);
    }

    /// As [`find`]; the ring has `parts`.
    fn find(&self, parts: usize, cell: Cell, address: usize, mask: u32, mut most: usize) -> Option<Past> {
        let base = self.base.load(Ordering::Acquire);
        if base.is_null() {
            return None;
        }
        let (taken, first) = (self.taken.load(Ordering::Acquire), self.first.load(Ordering::Acquire));
        let kept = (taken.wrapping_sub(first) as usize).min(parts);
        for back in 1..=kept as u32 {
            let part = taken.wrapping_sub(back);
            // SAFETY: within the ring's memory.
            let start = unsafe { base.add(part as usize % parts * PART) };
            // SAFETY: within the part; another thread may be writing it, see `Ring::take`.
            let marker = unsafe { start.read_volatile() };
            if !marker.begins(part) || marker.epoch() > cell.epoch() {
                continue;
            }
            if most == 0 {
                return None;
            }
            most -= 1;
            let found = search(start, cell, address, mask);
            core::sync::atomic::fence(Ordering::Acquire);
            // SAFETY: as above.
            let again = unsafe { start.read_volatile() };
            if found.is_some() && again.begins(part) {
                return found;
            }
            if marker.epoch() < cell.epoch() {
                return None;
            }
        }
        None
    }
}

/// Drops the memory of the ring that was left by its last thread longest ago.
#[cold]
fn shrink() {
    let now = DEPARTURES.load(Ordering::Relaxed);
    let is_left =
        |ring: &Ring| ring.writers.load(Ordering::Relaxed) == 0 && ring.resident.load(Ordering::Relaxed) != 0;
    let left = RINGS.iter().enumerate().filter(|(_, ring)| is_left(ring));
    let oldest = left.max_by_key(|(_, ring)| now.wrapping_sub(ring.left.load(Ordering::Relaxed)));
    if let Some((slot, ring)) = oldest {
        ring.drop_memory(parts(slot));
    }
}

/// [`Ring::find`] in the part that begins at `start`.
fn search(start: *mut Event, cell: Cell, address: usize, mask: u32) -> Option<Past> {
    let granule = (address as u64) << 20 >> 23;
    let (mut thread, mut epoch, mut after) = (0, 0, 0);
    let mut found = None;
    let mut range = None;
    for index in 0..PART {
        // SAFETY: within the part; see `Ring::take`.
        let event = unsafe { start.add(index).read_volatile() };
        if event == Event(0, 0) {
            break;
        }
        if event.is_marker() {
            thread = (event.0 >> 38) as u32;
            (epoch, after) = (event.epoch(), event.1 & ((1 << 48) - 1));
            continue;
        }
        if event.mask() == 0 {
            range = Some((event.granule(), event.1 as usize));
            continue;
        }
        let (granules, bytes) = range.take().unwrap_or((1, 0));
        let before = granule.wrapping_sub(event.granule());
        let same_kind = (event.0 as u32 ^ cell.0) & 0x7ff == 0;
        if before >= granules || epoch != cell.epoch() || !same_kind {
            continue;
        }
        let offset = event.mask().trailing_zeros() as usize;
        let size = if bytes == 0 { event.mask().count_ones() as usize } else { bytes };
        let at = (address & !(GRANULE - 1)) - before as usize * GRANULE + offset;
        let touched = bytes_in(address, at, size);
        if touched & mask != 0 {
            found = Some(Past {
                thread,
                after,
                place: Place(event.1),
                nature: event.nature(),
                address: at,
                size,
            });
        }
    }
    found
}

/// The bytes of the granule of `address` among the `size` bytes from `at`.
const fn bytes_in(address: usize, at: usize, size: usize) -> u32 {
    let base = address & !(GRANULE - 1);
    let from = at.saturating_sub(base);
    let to = (at + size).saturating_sub(base);
    let to = if to > GRANULE { GRANULE } else { to };
    if from >= to { 0 } else { ((1 << to) - 1) & !((1 << from) - 1) }
}

/// The last access that `cell`, of the granule of `address`, may stand for, to at least one byte of
/// `mask`. Searches at most `most` parts.
pub(super) fn find(cell: Cell, address: usize, mask: u32, most: usize) -> Option<Past> {
    ring(cell.slot()).find(parts(cell.slot()), cell, address, mask, most)
}
