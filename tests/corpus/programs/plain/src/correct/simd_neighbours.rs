//! Correct: vector loads and stores of two threads, side by side at unaligned addresses, and loops
//! that a compiler turns into vector instructions.

use std::arch::x86_64::{_mm_add_epi8, _mm_loadu_si128, _mm_set1_epi8, _mm_storeu_si128};
use std::thread;

use shared::Pointer;

fn add_one(start: Pointer<u8>) {
    // SAFETY: sixteen bytes of this thread's own.
    unsafe {
        let old = _mm_loadu_si128(start.get().cast());
        _mm_storeu_si128(start.get().cast(), _mm_add_epi8(old, _mm_set1_epi8(1)));
    }
}

pub fn main() {
    let mut bytes = vec![0_u8; 16 * 8 + 5];
    let first = bytes.as_mut_ptr();
    thread::scope(|scope| {
        for index in 0..8 {
            // SAFETY: within the vector.
            let start = Pointer(unsafe { first.add(5 + 16 * index) });
            scope.spawn(move || (0..50).for_each(|_| add_one(start)));
        }
    });
    assert!(bytes[5..].iter().all(|byte| *byte == 50));
    let mut numbers = vec![1_f32; 4099];
    thread::scope(|scope| {
        for part in numbers.chunks_mut(1025) {
            scope.spawn(move || part.iter_mut().for_each(|number| *number = *number * 2.0 + 1.0));
        }
    });
    assert!(numbers.iter().all(|number| *number == 3.0));
}
