//! Correct: weak references are upgraded while the owner lets go, and what they see was written before.

use std::sync::{Arc, Weak};
use std::thread;

use shared::Shared;

fn read(weak: &Weak<Shared<u64>>) -> u64 {
    let mut reads = 0;
    while let Some(data) = weak.upgrade() {
        // SAFETY: it is written before the threads begin only.
        assert_eq!(unsafe { *data.get() }, 9);
        reads += 1;
        thread::yield_now();
    }
    reads
}

pub fn main() {
    for _ in 0..20 {
        let data = Arc::new(Shared::new(0));
        // SAFETY: nobody else has it yet.
        unsafe { *data.get() = 9 };
        let weak = Arc::downgrade(&data);
        thread::scope(|scope| {
            scope.spawn(|| read(&weak));
            scope.spawn(|| read(&weak));
            drop(data);
        });
    }
}
