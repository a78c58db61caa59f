//! Races: with an allocator of the program's own (mimalloc), one thread frees what another still reads.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use shared::{Pointer, wait_until};

static FREED: AtomicBool = AtomicBool::new(false);

pub fn main() {
    let data = Pointer(Box::into_raw(Box::new([1_u64; 8])));
    thread::scope(|scope| {
        scope.spawn(move || {
            // SAFETY: none, the other thread still reads it.
            drop(unsafe { Box::from_raw(data.get()) }); //~ data_race
            FREED.store(true, Ordering::Relaxed);
        });
        scope.spawn(move || {
            wait_until(|| FREED.load(Ordering::Relaxed));
            // SAFETY: none, it is freed.
            black_box(unsafe { (*data.get())[3] }); //~ data_race
        });
    });
}
