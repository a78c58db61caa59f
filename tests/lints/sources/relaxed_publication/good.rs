//! Release and acquire, or nothing to hand over.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, Ordering};

struct Slot {
    value: UnsafeCell<u32>,
    ready: AtomicBool,
    stop: AtomicBool,
}

// SAFETY: the flag orders the value.
unsafe impl Sync for Slot {}

impl Slot {
    fn put(&self, value: u32) {
        // SAFETY: only one thread puts.
        unsafe { *self.value.get() = value };
        self.ready.store(true, Ordering::Release);
    }

    fn get(&self) -> Option<u32> {
        // SAFETY: the load acquires what was put before.
        self.ready.load(Ordering::Acquire).then(|| unsafe { *self.value.get() })
    }

    fn end(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
