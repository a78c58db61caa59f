//! Correct: neighbouring bytes of one word, each with a thread of its own.

use std::sync::Barrier;
use std::thread;

use shared::Shared;

static BYTES: [Shared<u8>; 8] = [const { Shared::new(0) }; 8];

pub fn main() {
    let start = Barrier::new(8);
    thread::scope(|scope| {
        for byte in &BYTES {
            let start = &start;
            scope.spawn(move || {
                start.wait();
                for _ in 0..100 {
                    // SAFETY: each thread has its own.
                    unsafe { *byte.get() += 1 };
                }
            });
        }
    });
    // SAFETY: the threads have ended.
    assert!(BYTES.iter().all(|byte| unsafe { *byte.get() } == 100));
}
