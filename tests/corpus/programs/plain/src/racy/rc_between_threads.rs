//! Races: an `Rc` that was forced into another thread: its count is not atomic.

use std::rc::Rc;
use std::sync::Barrier;
use std::thread;

use shared::Shared;

pub fn main() {
    let shared = Shared::new(Rc::new(5));
    let both = Barrier::new(2);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                both.wait();
                // SAFETY: none, the count is shared.
                let mine = unsafe { Rc::clone(&*shared.get()) }; //~ data_race
                std::mem::forget(mine);
            });
        }
    });
    std::mem::forget(shared);
}
