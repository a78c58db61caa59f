//! Races: two threads write the same cell after a hundred thousand critical sections each, more than
//! a thread has epochs.

use std::sync::{Barrier, Mutex};
use std::thread;

use shared::Shared;

static LOCK: Mutex<u64> = Mutex::new(0);
static CELL: Shared<u64> = Shared::new(0);

pub fn main() {
    let both = Barrier::new(2);
    let work = || {
        for _ in 0..50_000 {
            *LOCK.lock().unwrap() += 1;
        }
        both.wait();
        // SAFETY: none, both do it.
        unsafe { *CELL.get() += 1 }; //~ data_race
    };
    thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
}
