//! Races: of two threads, the one that did not write is joined before the value is read.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use shared::{Shared, wait_until};

static DATA: Shared<u64> = Shared::new(0);
static WRITTEN: AtomicBool = AtomicBool::new(false);

pub fn main() {
    let writer = thread::spawn(|| {
        // SAFETY: none, the reader does not wait for this thread.
        unsafe { *DATA.get() = 1 }; //~ data_race
        WRITTEN.store(true, Ordering::Relaxed);
    });
    let other = thread::spawn(|| wait_until(|| WRITTEN.load(Ordering::Relaxed)));
    other.join().unwrap();
    // SAFETY: none, see above.
    black_box(unsafe { *DATA.get() }); //~ data_race
    writer.join().unwrap();
}
