//! Races: with an allocator of the program's own (mimalloc), two threads write one box.

use std::thread;

use shared::Pointer;

pub fn main() {
    let data = Pointer(Box::into_raw(Box::new([0_u64; 16])));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(move || {
                // SAFETY: none, both threads do it.
                unsafe { (*data.get())[3] += 1 }; //~ data_race
            });
        }
    });
}
