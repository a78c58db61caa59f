//! Correct: two SeqCst fences around relaxed accesses are release and acquire fences as well.

use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::thread;

use shared::{Shared, wait_until};

static DATA: Shared<u64> = Shared::new(0);
static READY: AtomicBool = AtomicBool::new(false);

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(|| {
            // SAFETY: nobody reads it before the flag is set.
            unsafe { *DATA.get() = 3 };
            fence(Ordering::SeqCst);
            READY.store(true, Ordering::Relaxed);
        });
        scope.spawn(|| {
            wait_until(|| READY.load(Ordering::Relaxed));
            fence(Ordering::SeqCst);
            // SAFETY: the fences order it.
            assert_eq!(unsafe { *DATA.get() }, 3);
        });
    });
}
