//! Races: a lazy static's value is made in order, and then written by two threads.

use std::sync::{Barrier, LazyLock};
use std::thread;

use shared::Shared;

static CELL: LazyLock<Box<Shared<u64>>> = LazyLock::new(|| Box::new(Shared::new(1)));

pub fn main() {
    let both = Barrier::new(2);
    let write = || {
        let cell = &*CELL;
        both.wait();
        // SAFETY: none, both threads do it.
        unsafe { *cell.get() += 1 }; //~ data_race
    };
    thread::scope(|scope| {
        scope.spawn(write);
        scope.spawn(write);
    });
}
