//! Races: a `Cell` in a struct that claims to be `Sync`.

use std::cell::Cell;
use std::sync::Arc;
use std::thread;

struct Counter(Cell<u32>);

// SAFETY: none, that is the bug.
unsafe impl Sync for Counter {}

pub fn main() {
    let counter = Arc::new(Counter(Cell::new(0)));
    let threads = [(); 2].map(|()| {
        let counter = Arc::clone(&counter);
        thread::spawn(move || counter.0.set(counter.0.get() + 1)) //~ data_race
    });
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}
