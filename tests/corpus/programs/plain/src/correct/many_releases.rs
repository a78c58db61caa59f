//! Correct: a hundred thousand critical sections, more than a thread has epochs, and data handed over
//! before and after.

use std::sync::Mutex;
use std::thread;

use shared::Shared;

static LOCK: Mutex<u64> = Mutex::new(0);
static BESIDE: Shared<[u64; 64]> = Shared::new([0; 64]);

pub fn main() {
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for round in 0..50_000 {
                    let mut count = LOCK.lock().unwrap();
                    *count += 1;
                    // SAFETY: under the lock.
                    unsafe { (*BESIDE.get())[round % 64] += 1 };
                }
            });
        }
    });
    // SAFETY: the threads have ended.
    assert_eq!(unsafe { (*BESIDE.get()).iter().sum::<u64>() }, *LOCK.lock().unwrap());
}
