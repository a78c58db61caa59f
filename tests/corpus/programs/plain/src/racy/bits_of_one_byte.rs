//! Races: two flags that are bits of the same byte, each set by a thread of its own.

use std::thread;

use shared::Shared;

static FLAGS: Shared<u8> = Shared::new(0);

pub fn main() {
    thread::scope(|scope| {
        for bit in 0..2 {
            scope.spawn(move || {
                // SAFETY: none, the byte is read and written as a whole.
                unsafe { *FLAGS.get() |= 1 << bit }; //~ data_race
            });
        }
    });
}
