//! Correct: a relaxed read-modify-write by a third thread continues the release sequence, so that the
//! reader of its value synchronizes with the release store before it.

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
            let next = || FLAG.compare_exchange(1, 2, Ordering::Relaxed, Ordering::Relaxed);
            wait_until(|| next().is_ok());
        });
        scope.spawn(|| {
            wait_until(|| FLAG.load(Ordering::Relaxed) == 2);
            assert_eq!(FLAG.load(Ordering::Acquire), 2);
            // SAFETY: the release sequence orders it.
            assert_eq!(unsafe { *DATA.get() }, 1);
        });
    });
}
