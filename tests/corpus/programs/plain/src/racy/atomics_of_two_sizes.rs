//! Races: atomic stores of different sizes to overlapping memory that nothing orders. The model of
//! Rust's atomics has no meaning for it (std's module page calls it undefined behaviour).

use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::thread;

static WHOLE: AtomicU32 = AtomicU32::new(0);

pub fn main() {
    // SAFETY: aligned and within the static; that the sizes differ is the bug.
    let half = unsafe { AtomicU16::from_ptr(WHOLE.as_ptr().cast()) };
    thread::scope(|scope| {
        scope.spawn(|| WHOLE.store(1, Ordering::SeqCst)); //~ data_race
        scope.spawn(|| half.store(2, Ordering::SeqCst)); //~ data_race
    });
}
