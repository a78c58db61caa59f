//! Races: a copy of a whole buffer, and a read of one byte in its middle.

use std::hint::black_box;
use std::thread;

use shared::Shared;

static BUFFER: Shared<[u8; 1000]> = Shared::new([0; 1000]);

pub fn main() {
    let source = black_box(vec![7_u8; 1000]);
    thread::scope(|scope| {
        scope.spawn(|| {
            // SAFETY: none, the other thread reads it.
            unsafe { source.as_ptr().copy_to(BUFFER.get().cast(), source.len()) }; //~ data_race
        });
        scope.spawn(|| {
            // SAFETY: none, the other thread writes it.
            black_box(unsafe { (*BUFFER.get())[613] }); //~ data_race
        });
    });
}
