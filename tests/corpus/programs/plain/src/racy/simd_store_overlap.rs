//! Races: a vector store of sixteen unaligned bytes, and a read of the last of them.

use std::arch::x86_64::{_mm_set1_epi8, _mm_storeu_si128};
use std::hint::black_box;
use std::thread;

use shared::Shared;

static BYTES: Shared<[u8; 64]> = Shared::new([0; 64]);

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(|| {
            let start: *mut u8 = BYTES.get().cast();
            // SAFETY: none, the other thread reads one of the bytes.
            unsafe { _mm_storeu_si128(start.add(13).cast(), _mm_set1_epi8(1)) }; //~ data_race
        });
        scope.spawn(|| {
            // SAFETY: none, see above.
            black_box(unsafe { (*BYTES.get())[28] }); //~ data_race
        });
    });
}
