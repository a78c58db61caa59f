//! Correct: a release fence works with an acquire load, and a release store with an acquire fence.

use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::thread;

use shared::{Shared, wait_until};

static DATA: Shared<[u64; 2]> = Shared::new([0; 2]);
static THERE: AtomicBool = AtomicBool::new(false);
static BACK: AtomicBool = AtomicBool::new(false);

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(|| {
            // SAFETY: nobody else has it before the flag is set.
            unsafe { (*DATA.get())[0] = 1 };
            fence(Ordering::Release);
            THERE.store(true, Ordering::Relaxed);
            wait_until(|| BACK.load(Ordering::Relaxed));
            fence(Ordering::Acquire);
            // SAFETY: the other thread's release store and the fence order it.
            assert_eq!(unsafe { *DATA.get() }, [1, 2]);
        });
        scope.spawn(|| {
            wait_until(|| THERE.load(Ordering::Acquire));
            // SAFETY: the fence and the acquire load order it.
            unsafe { (*DATA.get())[1] = (*DATA.get())[0] + 1 };
            BACK.store(true, Ordering::Release);
        });
    });
}
