//! Races: of three hundred threads that live at the same time, two write the same cell.

use std::sync::Barrier;
use std::thread;

use shared::Shared;

const THREADS: usize = 300;
static CELLS: [Shared<usize>; THREADS] = [const { Shared::new(0) }; THREADS];

pub fn main() {
    let barrier = Barrier::new(THREADS);
    let work = |index: usize| {
        let mine = if index == THREADS - 1 { 0 } else { index };
        barrier.wait();
        // SAFETY: none, the first and the last one write the same.
        unsafe { *CELLS[mine].get() = index }; //~ data_race
    };
    thread::scope(|scope| {
        for index in 0..THREADS {
            let work = &work;
            scope.spawn(move || work(index));
        }
    });
}
