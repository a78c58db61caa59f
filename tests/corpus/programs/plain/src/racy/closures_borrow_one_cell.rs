//! Races: two closures that borrow the same local, forced to be `Sync`, and both write it.

use std::sync::Barrier;
use std::thread;

use shared::Shared;

pub fn main() {
    let hits = Shared::new(0_u32);
    let both = Barrier::new(2);
    let hit = || {
        both.wait();
        // SAFETY: none, both threads do it after the barrier.
        unsafe { *hits.get() += 1 }; //~ data_race
    };
    thread::scope(|scope| {
        scope.spawn(hit);
        scope.spawn(hit);
    });
}
