//! A thread's part of the history: where past accesses were made.
//!
//! A thread appends an event for each access that it writes a cell for to the ring of its slot
//! ([`super::ring`]), and a marker for each new epoch and each recorded event after which it appends.
//!
//! Invariants:
//! * An event is written before the cell that stands for it, so that who sees the cell can find it.
//! * [`History::next`] is never the end of a part but between an append and [`History::turn`]; a signal
//!   handler in between writes into the part behind, whose marker it destroys, so that nothing there is
//!   believed.
//! * A range and the access it stands before are in the same part.

use core::sync::atomic::{Ordering, compiler_fence};

use super::event::Event;
use super::ring::{self, PART_BYTES, parts, ring};

/// A thread's place in the ring of its slot. All zero: of a thread that has no slot.
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
    /// The first event that was not looked at again: see `review`.
    news: *mut Event,
    /// The last marker.
    marker: *mut Event,
    /// Contexts that were made sure to be known, each where [`History::has_noted`] looks for it.
    noted: [u32; NOTED],
    /// Meetings that were counted often enough to be passed over for some parts: see `sample`.
    pub(super) frequent: [u32; FREQUENT],
}

/// After how many parts frequent meetings are counted anew.
const RECOUNTED: u32 = 64;
/// Contexts of which a thread remembers that they are known: a power of two.
const NOTED: usize = 32;
/// Meetings of which a thread remembers that they are frequent.
pub(super) const FREQUENT: usize = 64;

impl History {
    /// Thread `thread` (the recorder's number) has `slot` from now on, in `epoch`.
    pub(super) fn attach(&mut self, slot: u32, epoch: u32, thread: u32) {
        self.detach();
        (self.slot, self.epoch, self.thread) = (slot, epoch, thread);
        ring(slot as usize).enter();
        self.attached = true;
        self.begin_part();
    }

    /// The thread has no slot any more.
    pub(super) fn detach(&mut self) {
        if self.attached {
            self.attached = false;
            ring(self.slot as usize).leave();
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
            let has_news = self.has_news();
            self.marker = self.next;
            let marker = Event::marker(self.thread, self.epoch, 0, self.seq);
            // SAFETY: attached, as there was a marker.
            if unsafe { self.append(marker) } {
                self.begin_part();
            }
            if !has_news {
                self.reviewed();
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

    /// Whether there are events that were not looked at again: while threads run one at a time, none has to be.
    #[inline(always)]
    pub(super) fn has_news(&self) -> bool {
        !cfg!(snag_explore) && self.news != self.next
    }

    /// Those of the present part. Empty for who writes where nothing is found.
    pub(super) fn news(&self) -> &[Event] {
        let part_of = |event: *mut Event| event.addr() / PART_BYTES;
        let is_own = self.attached && !ring::is_nowhere(self.news);
        if !is_own || self.news >= self.next || part_of(self.news) != part_of(self.next.wrapping_sub(1)) {
            return &[];
        }
        // SAFETY: both are in the part that this thread was handed out and alone writes, `next` at most at
        // its end; up to there it is written.
        unsafe { core::slice::from_raw_parts(self.news, self.next.offset_from_unsigned(self.news)) }
    }

    /// What came up to now need not be looked at again, or must not.
    #[inline(always)]
    pub(super) fn reviewed(&mut self) {
        self.news = self.next;
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

    /// Whether there is no room in this part: [`History::turn`] is due.
    pub(super) fn is_full(&self) -> bool {
        self.next.addr().is_multiple_of(PART_BYTES)
    }

    /// Whether the first events since the last look are in this part.
    pub(super) fn has_first_news(&self) -> bool {
        self.news.addr() % PART_BYTES > size_of::<Event>()
    }

    /// Goes on in a new part if this one is full.
    pub(super) fn turn(&mut self) {
        if self.is_full() {
            self.begin_part();
        }
    }

    fn begin_part(&mut self) {
        let (part, start) = ring(self.slot as usize).take(parts(self.slot as usize));
        self.part = part;
        self.marker = start;
        self.write_marker(start, part);
        compiler_fence(Ordering::SeqCst);
        self.next = start.wrapping_add(1);
        self.reviewed();
        if part % RECOUNTED == 0 {
            self.frequent = [0; FREQUENT];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::Nature;
    use super::super::layout::Cell;
    use super::super::place::Place;
    use super::super::ring::{PART, Past};
    use super::*;

    const PC: u64 = 0x1000;

    fn find(cell: Cell, address: usize, mask: u32) -> Option<Past> {
        ring::find(cell, address, mask, usize::MAX)
    }

    fn write(epoch: u32, mask: u32, slot: u32) -> Cell {
        Cell::new(mask, slot, epoch, false)
    }

    fn begin(slot: u32, epoch: u32) -> History {
        // SAFETY: zeros are a history, of a thread without a slot.
        let mut history: History = unsafe { core::mem::zeroed() };
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
    fn news_are_what_came_since_the_last_look_in_the_present_part() {
        let mut history = begin(209, 1);
        let cell = write(1, 0xff, 209);
        let add = |history: &mut History, count: usize| {
            (0..count).for_each(|index| append(history, 0x7f00_0400_0000 + index * 8, cell, PC));
        };
        let addresses = |history: &History| {
            history.news().iter().map(|event| event.address() & 0xfff_ffff).collect::<Vec<_>>()
        };
        assert!(!history.has_news());
        add(&mut history, 2);
        assert!(history.has_news());
        assert_eq!(addresses(&history), [0x400_0000, 0x400_0008]);
        history.mark(1, 5);
        assert_eq!(history.news().len(), 3, "a marker does not hide what came before it");
        history.reviewed();
        history.mark(1, 6);
        assert!(!history.has_news(), "nor is it news");
        add(&mut history, 3);
        history.mark(2, 7);
        history.reviewed();
        assert!(!history.has_news() && history.news().is_empty());
        add(&mut history, PART);
        assert!(history.news().len() < PART);
        history.detach();
        assert!(history.news().is_empty());
    }

    #[test]
    fn marks_with_nothing_between_take_one_place() {
        let mut history = begin(207, 1);
        let before = history.next;
        for seq in 1..1000 {
            history.mark(1, seq);
        }
        assert_eq!((history.next, history.seq), (before, 999));
        append(&mut history, 0x7f00_0000_7000, write(1, 0xff, 207), PC);
        let found = find(write(1, 0xff, 207), 0x7f00_0000_7000, 0xff).expect("found");
        assert_eq!(found.after, 999);
    }
}
