//! Races: every worker of a rayon pool writes the same cell.

use std::sync::Barrier;

use shared::Shared;

pub fn main() {
    let data = Shared::new(0_u64);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let both = Barrier::new(2);
    pool.broadcast(|_| {
        both.wait();
        // SAFETY: none, both workers do it.
        unsafe { *data.get() += 1 }; //~ data_race
    });
}
