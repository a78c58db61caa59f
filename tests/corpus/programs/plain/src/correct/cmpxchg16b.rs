//! Correct: a 128-bit compare-exchange with release and one with acquire hand the data over.

use std::arch::x86_64::cmpxchg16b;
use std::sync::atomic::Ordering;
use std::thread;

use shared::{Shared, wait_until};

#[repr(align(16))]
struct Wide(Shared<u128>);

static WIDE: Wide = Wide(Shared::new(0));
static DATA: Shared<u64> = Shared::new(0);
const HANDED: u128 = u128::MAX - 5;

#[target_feature(enable = "cmpxchg16b")]
fn give() -> bool {
    // SAFETY: aligned, and always accessed like this.
    unsafe { cmpxchg16b(WIDE.0.get(), 0, HANDED, Ordering::Release, Ordering::Relaxed) == 0 }
}

#[target_feature(enable = "cmpxchg16b")]
fn take() -> bool {
    // SAFETY: aligned, and always accessed like this.
    unsafe { cmpxchg16b(WIDE.0.get(), HANDED, 1, Ordering::Acquire, Ordering::Relaxed) == HANDED }
}

pub fn main() {
    assert!(is_x86_feature_detected!("cmpxchg16b"), "every x86-64 processor of this century has it");
    thread::scope(|scope| {
        scope.spawn(|| {
            // SAFETY: this thread's until it is handed over.
            unsafe { *DATA.get() = 1 };
            // SAFETY: the processor can do it.
            assert!(unsafe { give() });
        });
        scope.spawn(|| {
            // SAFETY: the processor can do it.
            wait_until(|| unsafe { take() });
            // SAFETY: it was handed over.
            unsafe { *DATA.get() += 1 };
        });
    });
    // SAFETY: the threads have ended.
    assert_eq!(unsafe { (*DATA.get(), *WIDE.0.get()) }, (2, 1));
}
