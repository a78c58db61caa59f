//! Races: one barrier instead of two, so that the next write may meet the other's read.

use std::sync::Barrier;
use std::thread;

use shared::Shared;

static CELLS: [Shared<usize>; 2] = [const { Shared::new(0) }; 2];

pub fn main() {
    let barrier = Barrier::new(2);
    let work = |index: usize| {
        let mut sum = 0;
        for phase in 0..3 {
            // SAFETY: none, the other one may still read what was there.
            unsafe { *CELLS[index].get() = phase }; //~ data_race
            barrier.wait();
            // SAFETY: none, the other one may write already.
            sum += unsafe { *CELLS[1 - index].get() }; //~ data_race
        }
        sum
    };
    thread::scope(|scope| {
        scope.spawn(|| work(0));
        scope.spawn(|| work(1));
    });
}
