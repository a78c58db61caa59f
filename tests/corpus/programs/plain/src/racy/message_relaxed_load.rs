//! Races: the store is a release, but the load that sees it is relaxed.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use shared::{Shared, wait_until};

static MESSAGE: Shared<u64> = Shared::new(0);
static SENT: AtomicBool = AtomicBool::new(false);

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(|| {
            // SAFETY: none, the reader is not ordered after this.
            unsafe { *MESSAGE.get() = 5 }; //~ data_race
            SENT.store(true, Ordering::Release);
        });
        scope.spawn(|| {
            wait_until(|| SENT.load(Ordering::Relaxed));
            // SAFETY: none, see above.
            black_box(unsafe { *MESSAGE.get() }); //~ data_race
        });
    });
}
