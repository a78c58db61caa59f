//! Races: one thread uses parking_lot's lock, the other `data_ptr` without it.

use std::thread;

use parking_lot::Mutex;

static COUNT: Mutex<u64> = Mutex::new(0);

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(|| *COUNT.lock() += 1); //~ data_race
        scope.spawn(|| {
            // SAFETY: none, the lock is not held.
            unsafe { *COUNT.data_ptr() += 1 }; //~ data_race
        });
    });
}
