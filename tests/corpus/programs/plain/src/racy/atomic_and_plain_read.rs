//! Races: an atomic store and a plain read of the same memory.

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

static COUNT: AtomicU32 = AtomicU32::new(0);

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(|| COUNT.store(1, Ordering::SeqCst)); //~ data_race
        scope.spawn(|| {
            // SAFETY: none, the store is not ordered with it.
            black_box(unsafe { *COUNT.as_ptr() }); //~ data_race
        });
    });
}
