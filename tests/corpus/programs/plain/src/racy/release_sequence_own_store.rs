//! Races: since C++20 a relaxed store ends a release sequence even if it is the releasing thread's own.

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use shared::{Shared, wait_until};

static DATA: Shared<u64> = Shared::new(0);
static FLAG: AtomicU32 = AtomicU32::new(0);

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(|| {
            // SAFETY: none, the reader is not ordered after this.
            unsafe { *DATA.get() = 1 }; //~ data_race
            FLAG.store(1, Ordering::Release);
            FLAG.store(2, Ordering::Relaxed);
        });
        scope.spawn(|| {
            wait_until(|| FLAG.load(Ordering::Relaxed) == 2);
            assert_eq!(FLAG.load(Ordering::Acquire), 2);
            // SAFETY: none, see above.
            black_box(unsafe { *DATA.get() }); //~ data_race
        });
    });
}
