//! Races: two threads that only read a `RefCell`, whose borrow count is written by every reader.

use std::cell::RefCell;
use std::hint::black_box;
use std::sync::Barrier;
use std::thread;

use shared::Shared;

pub fn main() {
    let list = Shared::new(RefCell::new(vec![1, 2, 3]));
    let both = Barrier::new(2);
    let read = || {
        // SAFETY: none, the cell is not `Sync`.
        let list = unsafe { &*list.get() };
        both.wait();
        let borrowed = list.borrow(); //~ data_race
        black_box(&borrowed).len()
    };
    thread::scope(|scope| {
        scope.spawn(read);
        scope.spawn(read);
    });
}
