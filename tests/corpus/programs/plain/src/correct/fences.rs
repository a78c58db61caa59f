//! Correct: a release fence before a relaxed store meets an acquire fence after the relaxed load that
//! read it, and a second relaxed store behind the same fence does as well.

use std::sync::atomic::{AtomicU32, Ordering, fence};
use std::thread;

use shared::{Shared, wait_until};

static DATA: Shared<u64> = Shared::new(0);
static FLAG: AtomicU32 = AtomicU32::new(0);

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(|| {
            // SAFETY: nobody reads it before the flag is set.
            unsafe { *DATA.get() = 7 };
            fence(Ordering::Release);
            FLAG.store(1, Ordering::Relaxed);
            FLAG.store(2, Ordering::Relaxed);
        });
        scope.spawn(|| {
            wait_until(|| FLAG.load(Ordering::Relaxed) == 2);
            fence(Ordering::Acquire);
            // SAFETY: the fences order it.
            assert_eq!(unsafe { *DATA.get() }, 7);
        });
    });
}
