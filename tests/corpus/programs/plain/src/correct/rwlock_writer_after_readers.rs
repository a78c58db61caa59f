//! Correct: a writer is ordered after all readers before it, and readers after the writer.

use std::sync::RwLock;
use std::thread;

use shared::Shared;

static LOCK: RwLock<()> = RwLock::new(());
static DATA: Shared<u64> = Shared::new(0);

pub fn main() {
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let guard = LOCK.read().unwrap();
                    // SAFETY: under the read lock.
                    assert!(unsafe { *DATA.get() } <= 50);
                    drop(guard);
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..50 {
                let _guard = LOCK.write().unwrap();
                // SAFETY: under the write lock.
                unsafe { *DATA.get() += 1 };
            }
        });
    });
}
