//! Correct: three hundred threads that live at the same time, each of which writes its own cell, the
//! shared one under the lock, and after the barrier reads its neighbour's.

use std::sync::{Barrier, Mutex};
use std::thread;

use shared::Shared;

const THREADS: usize = 300;
static CELLS: [Shared<usize>; THREADS] = [const { Shared::new(0) }; THREADS];
static LOCK: Mutex<usize> = Mutex::new(0);

pub fn main() {
    let barrier = Barrier::new(THREADS);
    let work = |index: usize| {
        // SAFETY: its own.
        unsafe { *CELLS[index].get() = index };
        *LOCK.lock().unwrap() += 1;
        barrier.wait();
        let next = (index + 1) % THREADS;
        // SAFETY: written before the barrier.
        assert_eq!(unsafe { *CELLS[next].get() }, next);
        *LOCK.lock().unwrap() += 1;
    };
    thread::scope(|scope| {
        for index in 0..THREADS {
            let work = &work;
            scope.spawn(move || work(index));
        }
    });
    assert_eq!(*LOCK.lock().unwrap(), 2 * THREADS);
}
