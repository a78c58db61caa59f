//! Races: the 128-bit compare-exchange that takes the data over is relaxed.

use std::arch::x86_64::cmpxchg16b;
use std::sync::atomic::Ordering;
use std::thread;

use shared::{Shared, wait_until};

#[repr(align(16))]
struct Wide(Shared<u128>);

static WIDE: Wide = Wide(Shared::new(0));
static DATA: Shared<u64> = Shared::new(0);

#[target_feature(enable = "cmpxchg16b")]
fn give() -> bool {
    // SAFETY: aligned, and always accessed like this.
    unsafe { cmpxchg16b(WIDE.0.get(), 0, 1, Ordering::AcqRel, Ordering::Relaxed) == 0 }
}

#[target_feature(enable = "cmpxchg16b")]
fn take() -> bool {
    // SAFETY: aligned, and always accessed like this.
    unsafe { cmpxchg16b(WIDE.0.get(), 1, 2, Ordering::Relaxed, Ordering::Relaxed) == 1 }
}

pub fn main() {
    assert!(is_x86_feature_detected!("cmpxchg16b"), "every x86-64 processor of this century has it");
    thread::scope(|scope| {
        scope.spawn(|| {
            // SAFETY: none, the other thread is not ordered after this.
            unsafe { *DATA.get() = 1 }; //~ data_race
            // SAFETY: the processor can do it.
            assert!(unsafe { give() });
        });
        scope.spawn(|| {
            // SAFETY: the processor can do it.
            wait_until(|| unsafe { take() });
            // SAFETY: none, see above.
            unsafe { *DATA.get() += 1 }; //~ data_race
        });
    });
}
