//! Correct: parking_lot's locks, condition variables and onces guard data beside them.

use std::thread;

use parking_lot::{Condvar, Mutex, Once, ReentrantMutex, RwLock};
use shared::Shared;

static LOCK: Mutex<u64> = Mutex::new(0);
static CHANGED: Condvar = Condvar::new();
static TABLE: RwLock<()> = RwLock::new(());
static AGAIN: ReentrantMutex<()> = ReentrantMutex::new(());
static ONCE: Once = Once::new();
static DATA: [Shared<u64>; 4] = [const { Shared::new(0) }; 4];

fn add(index: usize) {
    // SAFETY: each is guarded by the lock of its number.
    unsafe { *DATA[index].get() += 1 };
}

fn work() {
    for _ in 0..30 {
        let mut count = LOCK.lock();
        *count += 1;
        add(0);
        CHANGED.notify_all();
        drop(count);
        let write = TABLE.write();
        add(1);
        drop(write);
        let read = TABLE.read();
        // SAFETY: under the read lock.
        assert!(unsafe { *DATA[1].get() } > 0);
        drop(read);
        let (_outer, _inner) = (AGAIN.lock(), AGAIN.lock());
        add(2);
    }
    ONCE.call_once(|| add(3));
    // SAFETY: written once, before.
    assert_eq!(unsafe { *DATA[3].get() }, 1);
}

pub fn main() {
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(work);
        }
        let mut count = LOCK.lock();
        while *count < 90 {
            CHANGED.wait(&mut count);
        }
        // SAFETY: under the lock.
        assert_eq!(unsafe { *DATA[0].get() }, 90);
    });
}
