//! Races: a vector load of sixteen unaligned bytes, and a write of one of them.

use std::arch::x86_64::_mm_loadu_si128;
use std::hint::black_box;
use std::thread;

use shared::Shared;

static BYTES: Shared<[u8; 64]> = Shared::new([0; 64]);

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(|| {
            let start: *const u8 = BYTES.get().cast();
            // SAFETY: none, the other thread writes one of the bytes.
            black_box(unsafe { _mm_loadu_si128(start.add(19).cast()) }); //~ data_race
        });
        scope.spawn(|| {
            // SAFETY: none, see above.
            unsafe { (*BYTES.get())[29] = 1 }; //~ data_race
        });
    });
}
