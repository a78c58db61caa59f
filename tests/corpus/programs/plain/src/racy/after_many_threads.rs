//! Races: two threads write the same cell, after two thousand others have come and gone.

use std::thread;

use shared::Shared;

static CELL: Shared<u64> = Shared::new(0);

pub fn main() {
    for _ in 0..2000 {
        thread::spawn(|| std::hint::black_box(5)).join().unwrap();
    }
    let write = || {
        // SAFETY: none, both do it.
        unsafe { *CELL.get() += 1 }; //~ data_race
    };
    thread::scope(|scope| {
        scope.spawn(write);
        scope.spawn(write);
    });
}
