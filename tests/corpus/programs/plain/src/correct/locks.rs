//! Correct: a counter under a mutex, taken by `lock` and `try_lock`, and handed on poisoned; another
//! under a reader-writer lock; with data outside that the locks protect by convention.

use std::sync::{Mutex, RwLock};
use std::thread;

use shared::Shared;

static LOCK: Mutex<u64> = Mutex::new(0);
static BESIDE: Shared<u64> = Shared::new(0);
static TABLE: RwLock<[u64; 4]> = RwLock::new([0; 4]);

fn count() {
    let mut count = LOCK.lock().unwrap();
    *count += 1;
    // SAFETY: under the lock, as everywhere.
    unsafe { *BESIDE.get() += 1 };
}

fn try_to_count() {
    if let Ok(mut count) = LOCK.try_lock() {
        *count += 1;
        // SAFETY: under the lock, as everywhere.
        unsafe { *BESIDE.get() += 1 };
    }
}

fn table(index: usize) {
    assert!(TABLE.read().unwrap().iter().all(|value| *value <= 100));
    TABLE.write().unwrap()[index] += 1;
    if let Ok(mut table) = TABLE.try_write() {
        table[index] += 1;
    }
    if let Ok(table) = TABLE.try_read() {
        assert!(table[index] > 0);
    }
}

pub fn main() {
    thread::scope(|scope| {
        for index in 0..4 {
            scope.spawn(move || {
                for _ in 0..25 {
                    count();
                    try_to_count();
                    table(index);
                }
            });
        }
    });
    // SAFETY: the threads have ended.
    assert_eq!(*LOCK.lock().unwrap(), unsafe { *BESIDE.get() });
}
