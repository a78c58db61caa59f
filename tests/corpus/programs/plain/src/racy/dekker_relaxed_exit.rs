//! Races: the first thread leaves its critical section by a relaxed store, so that the second, which
//! waits for it, is not ordered after what was done inside.

use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::thread;

use shared::{Shared, wait_until};

static DATA: Shared<u64> = Shared::new(0);
static INSIDE: AtomicBool = AtomicBool::new(true);

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(|| {
            // SAFETY: none, the other one may be inside.
            unsafe { *DATA.get() += 1 }; //~ data_race
            INSIDE.store(false, Ordering::Relaxed);
        });
        scope.spawn(|| {
            wait_until(|| !INSIDE.load(Ordering::Relaxed));
            fence(Ordering::SeqCst);
            // SAFETY: none, see above.
            unsafe { *DATA.get() += 1 }; //~ data_race
        });
    });
}
