//! Where past accesses were made: a ring of events per slot, from which the access that a cell stands for
//! is found again.
//!
//! ```text
//! event        granule (41) | mask (8) | nature (4) | epoch, low (10) | read (1)   code (32) | context (32)
//! range        granules (41) | 0 | RANGE | 0                                        bytes
//! marker       thread (26), epoch (15) | 0 | MARKER | 0                             part (16) | seq (48)
//! ```
//!
//! A ring is made of parts of 4 KiB. A part belongs to one thread, begins with a marker and is cleared
//! when it is handed out; what follows a marker happened in its epoch, after its thread had recorded
//! event `seq`. A range stands before the event of its first granule, in the same part.
//!
//! Invariants:
//! * An event is written before the cell that stands for it, so that who sees the cell can find it.
//! * The number of its part is read before and after a search through it: what was handed out anew
//!   meanwhile is not believed.
//! * [`History::next`] is never the end of a part but between an append and [`History::turn`]; a signal
//!   handler in between writes into the part behind, whose marker it destroys, so that nothing there is
//!   believed. Behind the last part of a ring there is room for that.
//!
//! Known misses: only the last 1 MiB (256 KiB in slots from 64 on) of a slot's events are kept, and of slots
//! without a thread not more than 8 MiB together, the last left first; a thread
//! that lost its slot to another one and did not yet notice has its events searched in the wrong order.

use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use super::layout::{Cell, GRANULE};
use super::place::Place;
use super::{kernel, maps};

/// Slots that threads can have.
const SLOTS: usize = 256;
/// Events of a part.
const PART: usize = 256;
const PART_BYTES: usize = PART * size_of::<Event>();

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
pub(super) struct Event(u64, u64);

impl Event {
    /// Access `cell` to the granule of `address`.
    #[inline(always)]
    pub(super) const fn access(address: usize, cell: Cell, nature: Nature, place: Place) -> Event {
        let granule = (address as u64) << 20 & GRANULE_BITS;
        let rest = (cell.mask() << 15 | (nature as u32) << 11 | cell.0 & 0x7ff) as u64;
        Event(granule | rest, place.0)
    }

    /// Before an event: it is the first of those of `bytes` bytes.
    const fn range(granules: usize, bytes: usize) -> Event {
        Event((granules as u64) << 23 | RANGE << 11, bytes as u64)
    }

    const fn marker(thread: u32, epoch: u32, part: u32, seq: u64) -> Event {
        Event((thread as u64) << 38 | (epoch as u64) << 23 | MARKER << 11, (part as u64) << 48 | seq)
    }

    const fn mask(self) -> u32 {
        (self.0 >> 15 & 0xff) as u32
    }

    const fn tag(self) -> u64 {
        self.0 >> 11 & 0xf
    }

    const fn nature(self) -> Nature {
        match self.tag() {
            1 => Nature::Volatile,
            2 => Nature::Free,
            _ => Nature::Plain,
        }
    }

    const fn granule(self) -> u64 {
        self.0 >> 23
    }

    const fn is_marker(self) -> bool {
        self.mask() == 0 && self.tag() == MARKER
    }

    /// Whether it is a part's first marker.
    const fn begins(self, part: u32) -> bool {
        self.is_marker() && self.1 >> 48 == part as u64 & 0xffff
    }

    const fn epoch(self) -> u32 {
        (self.0 >> 23 & 0x7fff) as u32
    }
}

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
    resident: AtomicU32,
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

/// Parts of the ring of `slot`.
const fn parts(slot: usize) -> usize {
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
    fn take(&self, parts: usize) -> (u32, *mut Event) {
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
    fn drop_memory(&self, parts: usize) {
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

/// A thread's place in the ring of its slot.
#[derive(Debug)]
#[repr(C)]
pub(super) struct History {
    next: *mut Event,
    slot: u32,
    thread: u32,
    epoch: u32,
    part: u32,
    attached: bool,
    seq: u64,
    /// The last marker.
    marker: *mut Event,
    /// Contexts that were made sure to be known, each where [`History::has_noted`] looks for it.
    noted: [u32; NOTED],
    /// Meetings that were counted often enough to be passed over for some parts: see `sample`.
    pub(super) frequent: [u32; FREQUENT],
}

/// After how many parts frequent meetings are counted anew.
const RECOUNTED: u32 = 8;
/// Contexts of which a thread remembers that they are known: a power of two.
const NOTED: usize = 32;
/// Meetings of which a thread remembers that they are frequent.
pub(super) const FREQUENT: usize = 64;

impl History {
    /// Of a thread that has no slot; nothing may be appended to it.
    pub(super) const fn new() -> History {
        let (next, marker) = (null_mut(), null_mut());
        History {
            next,
            noted: [0; NOTED],
            slot: 0,
            thread: 0,
            epoch: 0,
            part: 0,
            attached: false,
            seq: 0,
            marker,
            frequent: [0; FREQUENT],
        }
    }

    /// Thread `thread` (the recorder's number) has `slot` from now on, in `epoch`.
    pub(super) fn attach(&mut self, slot: u32, epoch: u32, thread: u32) {
        self.detach();
        (self.slot, self.epoch, self.thread) = (slot, epoch, thread);
        ring(slot as usize).writers.fetch_add(1, Ordering::Relaxed);
        WRITERS.fetch_add(1, Ordering::Relaxed);
        self.attached = true;
        self.begin_part();
    }

    /// The thread has no slot any more.
    pub(super) fn detach(&mut self) {
        if self.attached {
            self.attached = false;
            let ring = ring(self.slot as usize);
            ring.left.store(DEPARTURES.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            ring.writers.fetch_sub(1, Ordering::Relaxed);
            WRITERS.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// From now on it is `epoch`, and the thread's last recorded event has the number `seq`, 0 if it has
    /// not changed.
    #[inline]
    pub(super) fn mark(&mut self, epoch: u32, seq: u64) {
        self.epoch = epoch;
        if seq != 0 {
            self.seq = seq;
        }
        if self.marker.is_null() {
            return;
        }
        // Nothing came after the last marker: it is set right.
        let part = if self.marker.addr().is_multiple_of(PART_BYTES) { self.part } else { 0 };
        if self.marker.wrapping_add(1) == self.next {
            self.write_marker(self.marker, part);
        } else {
            self.marker = self.next;
            let marker = Event::marker(self.thread, self.epoch, 0, self.seq);
            // SAFETY: attached, as there was a marker.
            if unsafe { self.append(marker) } {
                self.begin_part();
            }
        }
    }

    #[inline(always)]
    const fn index_of(context: u32) -> usize {
        (context >> (u32::BITS - NOTED.trailing_zeros())) as usize
    }

    /// Whether the thread remembers that `context` is in the table of contexts.
    #[inline(always)]
    pub(super) fn has_noted(&self, context: u32) -> bool {
        self.noted[History::index_of(context)] == context
    }

    /// `context` is in the table of contexts.
    pub(super) fn note(&mut self, context: u32) {
        self.noted[History::index_of(context)] = context;
    }

    /// The number of the last event that the thread recorded.
    pub(super) fn seq(&self) -> u64 {
        self.seq
    }

    fn write_marker(&mut self, at: *mut Event, part: u32) {
        let marker = Event::marker(self.thread, self.epoch, part & 0xffff, self.seq);
        // SAFETY: `at` lies in the part that this thread was handed out.
        unsafe { at.write_volatile(marker) };
    }

    /// Appends an event; gives whether the part is full, and [`History::turn`] must follow.
    ///
    /// # Safety
    /// Attached.
    #[inline(always)]
    #[must_use]
    pub(super) unsafe fn append(&mut self, event: Event) -> bool {
        let at = self.next;
        let next = at.wrapping_add(1);
        // First, so that a signal handler that appends leaves the event alone.
        self.next = next;
        // SAFETY: attached, so within the thread's part or the one behind, see the module.
        unsafe {
            at.cast::<u64>().write_volatile(event.0);
            at.cast::<u64>().add(1).write_volatile(event.1);
        }
        next.addr().is_multiple_of(PART_BYTES)
    }

    /// Appends an access `cell` that goes on for `bytes` bytes, which are in `granules` granules.
    ///
    /// # Safety
    /// Attached.
    pub(super) unsafe fn append_range(&mut self, event: Event, granules: usize, bytes: usize) {
        if self.next.wrapping_add(1).addr().is_multiple_of(PART_BYTES) {
            self.begin_part();
        }
        // SAFETY: attached.
        let full = unsafe { self.append(Event::range(granules, bytes)) | self.append(event) };
        if full {
            self.begin_part();
        }
    }

    /// Goes on in a new part if this one is full.
    pub(super) fn turn(&mut self) {
        if self.next.addr().is_multiple_of(PART_BYTES) {
            self.begin_part();
        }
    }

    fn begin_part(&mut self) {
        let (part, start) = ring(self.slot as usize).take(parts(self.slot as usize));
        self.part = part;
        self.marker = start;
        self.write_marker(start, part);
        core::sync::atomic::compiler_fence(Ordering::SeqCst);
        self.next = start.wrapping_add(1);
        if part % RECOUNTED == 0 {
            self.frequent = [0; FREQUENT];
        }
    }
}

/// The last access that `cell`, of the granule of `address`, may stand for, to at least one byte of
/// `mask`. Searches at most `most` parts.
pub(super) fn find(cell: Cell, address: usize, mask: u32, most: usize) -> Option<Past> {
    ring(cell.slot()).find(parts(cell.slot()), cell, address, mask, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PC: u64 = 0x1000;

    fn find(cell: Cell, address: usize, mask: u32) -> Option<Past> {
        super::find(cell, address, mask, usize::MAX)
    }

    fn write(epoch: u32, mask: u32, slot: u32) -> Cell {
        Cell::new(mask, slot, epoch, false)
    }

    fn begin(slot: u32, epoch: u32) -> History {
        let mut history = History::new();
        history.attach(slot, epoch, 7);
        history
    }

    fn append(history: &mut History, address: usize, cell: Cell, place: u64) {
        // SAFETY: attached by `begin`.
        if unsafe { history.append(Event::access(address, cell, Nature::Plain, Place(place))) } {
            history.turn();
        }
    }

    #[test]
    fn an_access_is_found_with_its_thread_and_what_was_recorded_before() {
        let mut history = begin(200, 1);
        let cell = write(1, 0x0f, 200);
        append(&mut history, 0x7f00_0000_1000, cell, PC);
        history.mark(1, 55);
        append(&mut history, 0x7f00_0000_2000, cell, PC + 1);
        let first = find(cell, 0x7f00_0000_1000, 0xff).expect("found");
        assert_eq!((first.thread, first.after, first.place), (7, 0, Place(PC)));
        assert_eq!((first.address, first.size), (0x7f00_0000_1000, 4));
        let second = find(cell, 0x7f00_0000_2000, 0xff).expect("found");
        assert_eq!((second.after, second.place), (55, Place(PC + 1)));
    }

    #[test]
    fn only_the_right_granule_bytes_kind_and_epoch_are_found() {
        let mut history = begin(201, 3);
        let (address, cell) = (0x7f00_0000_3000, write(3, 0x03, 201));
        append(&mut history, address, cell, PC);
        history.mark(4, 0);
        append(&mut history, address, write(4, 0x03, 201), PC + 1);
        assert_eq!(find(cell, address, 0x03).map(|past| past.place), Some(Place(PC)));
        assert_eq!(find(cell, address + 8, 0x03), None);
        assert_eq!(find(cell, address, 0x04), None);
        assert_eq!(find(Cell::new(0x03, 201, 3, true), address, 0x03), None);
        assert_eq!(find(write(5, 0x03, 201), address, 0x03), None);
    }

    #[test]
    fn the_last_of_several_is_the_one() {
        let mut history = begin(202, 1);
        let (address, cell) = (0x7f00_0000_4000, write(1, 0x01, 202));
        append(&mut history, address, cell, PC);
        append(&mut history, address, cell, PC + 1);
        assert_eq!(find(cell, address, 0x01).map(|past| past.place), Some(Place(PC + 1)));
    }

    #[test]
    fn a_range_is_found_at_each_of_its_bytes_and_nowhere_else() {
        let mut history = begin(203, 1);
        let (start, cell) = (0x7f00_0000_5004, write(1, 0xf0, 203));
        let event = Event::access(start, cell, Nature::Free, Place(PC));
        // SAFETY: attached.
        unsafe { history.append_range(event, 3, 14) };
        for (at, mask, there) in
            [(0, 0x0f, false), (0, 0xf0, true), (8, 0x01, true), (16, 0x02, true), (16, 0x04, false)]
        {
            let found = find(cell, 0x7f00_0000_5000 + at, mask);
            assert_eq!(found.is_some(), there, "{at} {mask}");
            if let Some(past) = found {
                assert_eq!((past.address, past.size, past.nature), (start, 14, Nature::Free));
            }
        }
        assert_eq!(find(cell, 0x7f00_0000_5018, 0xff), None);
    }

    #[test]
    fn what_is_older_than_the_ring_is_long_is_not_found_and_the_rest_is() {
        let mut history = begin(204, 1);
        let cell = write(1, 0xff, 204);
        let count = parts(204) * PART + 10;
        for index in 0..count {
            append(&mut history, 0x7f00_0100_0000 + index * 8, cell, PC + index as u64);
        }
        let place = |index: usize| find(cell, 0x7f00_0100_0000 + index * 8, 0xff).map(|past| past.place);
        assert_eq!(place(0), None);
        for index in [count - 1, count - PART, count - PART * 10, count / 2] {
            assert_eq!(place(index), Some(Place(PC + index as u64)));
        }
    }

    #[test]
    fn forgotten_events_are_not_found_when_epochs_begin_anew() {
        let mut history = begin(205, 1);
        let (address, cell) = (0x7f00_0000_6000, write(1, 0xff, 205));
        append(&mut history, address, cell, PC);
        ring(205).forget();
        let mut history = begin(205, 1);
        assert_eq!(find(cell, address, 0xff), None);
        append(&mut history, address, cell, PC + 1);
        assert!(find(cell, address, 0xff).is_some());
    }

    #[test]
    fn two_threads_of_one_slot_do_not_touch_each_other_s_events() {
        let (mut one, mut other) = (begin(206, 1), begin(206, 2));
        for index in 0..600 {
            append(&mut one, 0x7f00_0200_0000 + index * 8, write(1, 0xff, 206), PC);
            append(&mut other, 0x7f00_0200_0000 + index * 8, write(2, 0xff, 206), PC + 1);
        }
        let last = 0x7f00_0200_0000 + 599 * 8;
        assert_eq!(find(write(1, 0xff, 206), last, 0xff).map(|past| past.place), Some(Place(PC)));
        assert_eq!(find(write(2, 0xff, 206), last, 0xff).map(|past| past.place), Some(Place(PC + 1)));
    }

    #[test]
    fn a_ring_without_a_thread_gives_its_memory_back() {
        let mut history = begin(208, 1);
        let (address, cell) = (0x7f00_0000_8000, write(1, 0xff, 208));
        append(&mut history, address, cell, PC);
        history.detach();
        assert!(find(cell, address, 0xff).is_some());
        ring(208).drop_memory(parts(208));
        assert_eq!(find(cell, address, 0xff), None);
        assert_eq!(ring(208).resident.load(Ordering::Relaxed), 0);
        let mut history = begin(208, 2);
        append(&mut history, address, write(2, 0xff, 208), PC);
        assert!(find(write(2, 0xff, 208), address, 0xff).is_some());
    }

    #[test]
    fn marks_with_nothing_between_take_one_place() {
        let mut history = begin(207, 1);
        let before = history.next;
        for seq in 1..1000 {
            history.mark(1, seq);
        }
        assert_eq!((history.next, history.seq()), (before, 999));
        append(&mut history, 0x7f00_0000_7000, write(1, 0xff, 207), PC);
        let found = find(write(1, 0xff, 207), 0x7f00_0000_7000, 0xff).expect("found");
        assert_eq!(found.after, 999);
    }
}
