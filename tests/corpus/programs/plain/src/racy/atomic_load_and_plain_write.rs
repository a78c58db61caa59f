//! Races: an atomic load and a plain write of the same memory.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

static COUNT: AtomicU64 = AtomicU64::new(0);

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(|| black_box(COUNT.load(Ordering::SeqCst))); //~ data_race
        scope.spawn(|| {
            // SAFETY: none, the load is not ordered with it.
            unsafe { *COUNT.as_ptr() = 1 }; //~ data_race
        });
    });
}
