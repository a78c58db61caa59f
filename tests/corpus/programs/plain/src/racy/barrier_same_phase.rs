//! Races: two threads write the same cell in the same phase.

use std::sync::Barrier;
use std::thread;

use shared::Shared;

static CELL: Shared<u32> = Shared::new(0);

pub fn main() {
    let barrier = Barrier::new(3);
    thread::scope(|scope| {
        for value in 0..2 {
            let barrier = &barrier;
            scope.spawn(move || {
                barrier.wait();
                // SAFETY: none, both do it.
                unsafe { *CELL.get() = value }; //~ data_race
                barrier.wait();
            });
        }
        barrier.wait();
        barrier.wait();
    });
}
