//! Correct: the last of several threads to drop an `Arc` drops the value, after all use by the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use shared::Shared;

static SUM: AtomicU32 = AtomicU32::new(0);

struct Slots([Shared<u32>; 4]);

impl Drop for Slots {
    fn drop(&mut self) {
        // SAFETY: the last one.
        let sum = self.0.iter().map(|slot| unsafe { *slot.get() }).sum();
        SUM.store(sum, Ordering::Relaxed);
    }
}

pub fn main() {
    for _ in 0..50 {
        let slots = Arc::new(Slots(Default::default()));
        let threads = [0, 1, 2, 3].map(|index| {
            let slots = Arc::clone(&slots);
            thread::spawn(move || {
                // SAFETY: each thread has its own.
                unsafe { *slots.0[index].get() = 1 };
            })
        });
        drop(slots);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(SUM.swap(0, Ordering::Relaxed), 4);
    }
}
