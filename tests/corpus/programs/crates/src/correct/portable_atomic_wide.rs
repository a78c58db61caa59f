//! Correct: a 128-bit atomic of portable-atomic hands data over.

use std::sync::atomic::Ordering;
use std::thread;

use portable_atomic::AtomicU128;
use shared::{Shared, wait_until};

static WIDE: AtomicU128 = AtomicU128::new(0);
static DATA: Shared<u64> = Shared::new(0);

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(|| {
            // SAFETY: nobody reads it before the flag is set.
            unsafe { *DATA.get() = 1 };
            WIDE.store(1 << 100, Ordering::Release);
        });
        scope.spawn(|| {
            wait_until(|| WIDE.load(Ordering::Acquire) == 1 << 100);
            // SAFETY: the flag orders it.
            assert_eq!(unsafe { *DATA.get() }, 1);
            WIDE.fetch_add(1, Ordering::AcqRel);
        });
    });
}
