//! Races: a pointer to what a lock protects is used after the lock was given back.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use shared::wait_until;

static TOTAL: Mutex<u64> = Mutex::new(0);
static LEFT: AtomicBool = AtomicBool::new(false);

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut guard = TOTAL.lock().unwrap();
            let pointer = &raw mut *guard;
            drop(guard);
            LEFT.store(true, Ordering::Relaxed);
            // SAFETY: none, the guard is gone.
            unsafe { *pointer += 1 }; //~ data_race
        });
        scope.spawn(|| {
            wait_until(|| LEFT.load(Ordering::Relaxed));
            *TOTAL.lock().unwrap() += 1; //~ data_race
        });
    });
}
