//! Races: a detached thread writes, and the main thread gives it time and reads.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use shared::{Shared, wait_until};

static DATA: Shared<u64> = Shared::new(0);
static DONE: AtomicBool = AtomicBool::new(false);

pub fn main() {
    thread::spawn(|| {
        // SAFETY: none, the reader only sleeps.
        unsafe { *DATA.get() = 1 }; //~ data_race
        DONE.store(true, Ordering::Relaxed);
    });
    thread::sleep(Duration::from_millis(10));
    wait_until(|| DONE.load(Ordering::Relaxed));
    // SAFETY: none, see above.
    black_box(unsafe { *DATA.get() }); //~ data_race
}
