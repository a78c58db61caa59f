//! Races: both sides of a rayon join increment one counter, each on a worker of its own.

use std::sync::Barrier;

use shared::Shared;

pub fn main() {
    let data = Shared::new(0_u64);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let both = Barrier::new(2);
    let half = || {
        // Neither side goes on before the other has begun, so that each has a worker.
        both.wait();
        // SAFETY: none, the other side does it too.
        unsafe { *data.get() += 1 }; //~ data_race
    };
    pool.join(half, half);
}
