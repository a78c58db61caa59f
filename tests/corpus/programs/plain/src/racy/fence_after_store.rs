//! Races: the release fence comes after the store that should publish, so it orders nothing.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::thread;

use shared::{Shared, wait_until};

static DATA: Shared<u64> = Shared::new(0);
static READY: AtomicBool = AtomicBool::new(false);

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(|| {
            // SAFETY: none, the reader is not ordered after this.
            unsafe { *DATA.get() = 1 }; //~ data_race
            READY.store(true, Ordering::Relaxed);
            fence(Ordering::SeqCst);
        });
        scope.spawn(|| {
            wait_until(|| READY.load(Ordering::Relaxed));
            fence(Ordering::SeqCst);
            // SAFETY: none, see above.
            black_box(unsafe { *DATA.get() }); //~ data_race
        });
    });
}
