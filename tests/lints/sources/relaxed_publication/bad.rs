//! Orderings that promise nothing.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

struct Slot {
    value: UnsafeCell<u32>,
    ready: AtomicBool,
}

// SAFETY: it is not: the flag does not order the value.
unsafe impl Sync for Slot {}

impl Slot {
    fn put(&self, value: u32) {
        // SAFETY: only one thread puts.
        unsafe { *self.value.get() = value };
        self.ready.store(true, Ordering::Relaxed); //~ relaxed_publication
    }

    fn get(&self) -> Option<u32> {
        // SAFETY: it is not: the load orders nothing.
        self.ready.load(Ordering::Relaxed).then(|| unsafe { *self.value.get() })
    }
}

struct Shared {
    config: AtomicPtr<String>,
}

impl Shared {
    fn set(&self, config: String) {
        self.config.store(Box::into_raw(Box::new(config)), Ordering::Relaxed); //~ relaxed_publication
    }

    fn get(&self) -> &str {
        // SAFETY: it is not.
        unsafe { &*self.config.load(Ordering::Relaxed) }
    }
}
