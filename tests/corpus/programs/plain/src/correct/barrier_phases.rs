//! Correct: in each phase every thread writes its own cell and then, after the barrier, reads those of
//! the others.

use std::sync::Barrier;
use std::thread;

use shared::Shared;

const THREADS: usize = 4;
static CELLS: [Shared<usize>; THREADS] = [const { Shared::new(0) }; THREADS];

pub fn main() {
    let barrier = Barrier::new(THREADS);
    let work = |index: usize| {
        for phase in 0..50 {
            // SAFETY: its own, and the others read it after the barrier.
            unsafe { *CELLS[index].get() = phase };
            barrier.wait();
            // SAFETY: written before the barrier, and not again before the next.
            assert!(CELLS.iter().all(|cell| unsafe { *cell.get() } == phase));
            barrier.wait();
        }
    };
    thread::scope(|scope| {
        for index in 0..THREADS {
            let work = &work;
            scope.spawn(move || work(index));
        }
    });
}
