//! How much was seen and had to be forgotten, told to the trace at the exit and whenever a count doubles.
//!
//! Evictions are counted per slot, so that threads do not take each other's cache lines; a count may miss
//! some where two threads share a slot.

use core::sync::atomic::{AtomicU64, Ordering};

use snag_trace::memory::{self, Counts};
use snag_trace::{Kind, Mode};

use crate::recorder;

/// One count of the process.
pub(super) struct Count(AtomicU64);

/// [`Counts::resets`].
pub(super) static RESETS: Count = Count::new();
/// [`Counts::places_lost`].
pub(super) static PLACES_LOST: Count = Count::new();
/// [`Counts::repeats`].
pub(super) static REPEATS: Count = Count::new();
/// [`Counts::live_threads`].
pub(super) static LIVE_THREADS: Count = Count::new();
/// [`Counts::slots_shared`].
pub(super) static SLOTS_SHARED: Count = Count::new();
/// [`Counts::shared_dropped`].
pub(super) static SHARED_DROPPED: Count = Count::new();

#[repr(align(64))]
struct OfSlot(AtomicU64);

static EVICTED: [OfSlot; 256] = [const { OfSlot(AtomicU64::new(0)) }; 256];

impl Count {
    const fn new() -> Count {
        Count(AtomicU64::new(0))
    }

    /// One more.
    pub(super) fn add(&self) {
        let count = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        if count.is_power_of_two() {
            record();
        }
    }

    /// At least `count`.
    pub(super) fn at_least(&self, count: u64) {
        self.0.fetch_max(count, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The thread in `slot` pushed an access out of the shadow memory that was not ordered before its own.
#[inline]
pub(super) fn evicted(slot: usize) {
    let count = &EVICTED[slot % EVICTED.len()].0;
    let next = count.load(Ordering::Relaxed) + 1;
    count.store(next, Ordering::Relaxed);
    if next.is_power_of_two() {
        record();
    }
}

fn now() -> Counts {
    Counts {
        resets: RESETS.get(),
        evicted: EVICTED.iter().map(|count| count.0.load(Ordering::Relaxed)).sum(),
        places_lost: PLACES_LOST.get(),
        repeats: REPEATS.get(),
        live_threads: LIVE_THREADS.get(),
        slots_shared: SLOTS_SHARED.get(),
        shared_dropped: SHARED_DROPPED.get(),
    }
}

/// Tells the trace.
#[cold]
pub(super) fn record() {
    let payload = memory::counts(&now());
    recorder::record_long(Kind::MemoryCounts, Mode::None, recorder::At::Place(None), payload.as_slice());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_several_slots_evict_is_one_count() {
        let before = now().evicted;
        evicted(3);
        evicted(3);
        evicted(4);
        assert_eq!(now().evicted - before, 3);
    }

    #[test]
    fn a_maximum_does_not_fall() {
        let count = Count::new();
        count.at_least(7);
        count.at_least(5);
        count.add();
        assert_eq!(count.get(), 8);
    }
}
