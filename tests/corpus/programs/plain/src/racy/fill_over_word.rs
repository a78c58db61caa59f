//! Races: a buffer filled with zeros by one thread, and a word in it written by another.

use std::thread;

use shared::Shared;

static BUFFER: Shared<[u64; 100]> = Shared::new([1; 100]);

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(|| {
            // SAFETY: none, the other thread writes in it.
            unsafe { BUFFER.get().write_bytes(0, 1) }; //~ data_race
        });
        scope.spawn(|| {
            // SAFETY: none, the other thread fills it.
            unsafe { (*BUFFER.get())[99] = 5 }; //~ data_race
        });
    });
}
