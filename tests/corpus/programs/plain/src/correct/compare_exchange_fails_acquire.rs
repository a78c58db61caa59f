//! Correct: a compare-exchange that fails with `Acquire` synchronizes with the store that it read.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use shared::{Shared, wait_until};

static DATA: Shared<u64> = Shared::new(0);
static FLAG: AtomicU32 = AtomicU32::new(0);

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(|| {
            // SAFETY: nobody reads it before the flag is set.
            unsafe { *DATA.get() = 1 };
            FLAG.store(1, Ordering::Release);
        });
        scope.spawn(|| {
            wait_until(|| FLAG.load(Ordering::Relaxed) == 1);
            assert_eq!(FLAG.compare_exchange(0, 9, Ordering::Relaxed, Ordering::Acquire), Err(1));
            // SAFETY: the failed exchange orders it.
            assert_eq!(unsafe { *DATA.get() }, 1);
        });
    });
}
