//! Races: one thread reads a box, and another frees it without being ordered after the read.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use shared::{Pointer, wait_until};

static READ: AtomicBool = AtomicBool::new(false);

pub fn main() {
    let data = Pointer(Box::into_raw(Box::new([1_u64; 8])));
    thread::scope(|scope| {
        scope.spawn(move || {
            // SAFETY: none, the free is not ordered after this.
            black_box(unsafe { (*data.get())[3] }); //~ data_race
            READ.store(true, Ordering::Relaxed);
        });
        scope.spawn(move || {
            wait_until(|| READ.load(Ordering::Relaxed));
            // SAFETY: none, see above.
            drop(unsafe { Box::from_raw(data.get()) }); //~ data_race
        });
    });
}
