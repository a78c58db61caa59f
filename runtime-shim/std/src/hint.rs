//! `std::hint`: only the hint that a program spins is ours, since whoever spins waits for something.

pub use real_std::hint::*;

use crate::place::here;

/// Tells the processor that this is a loop that waits.
#[inline]
#[track_caller]
pub fn spin_loop() {
    snag_runtime::sync::thread::pausing(here());
    real_std::hint::spin_loop();
}
