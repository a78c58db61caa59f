//! Races: a vector load of thirty-two bytes, and a write of one in its second half.

use std::arch::x86_64::{__m256i, _mm256_loadu_si256};
use std::hint::black_box;
use std::thread;

use shared::Shared;

static BYTES: Shared<[u8; 64]> = Shared::new([0; 64]);

/// Loads the first half.
#[target_feature(enable = "avx2")]
fn load() -> __m256i {
    let start: *const __m256i = BYTES.get().cast();
    // SAFETY: none, the other thread writes one of the bytes.
    unsafe { _mm256_loadu_si256(start) } //~ data_race
}

pub fn main() {
    assert!(is_x86_feature_detected!("avx2"), "every x86-64 processor of the last ten years has it");
    thread::scope(|scope| {
        // SAFETY: the processor can do it.
        scope.spawn(|| {
            black_box(unsafe { load() });
        });
        scope.spawn(|| {
            // SAFETY: none, see above.
            unsafe { (*BYTES.get())[29] = 1 }; //~ data_race
        });
    });
}
