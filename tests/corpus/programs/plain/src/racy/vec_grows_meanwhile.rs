//! Races: a vector grows while another thread asks for its length.

use std::hint::black_box;
use std::thread;

use shared::Shared;

static LIST: Shared<Vec<u64>> = Shared::new(Vec::new());

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(|| {
            // SAFETY: none, the other thread looks at it.
            unsafe { (*LIST.get()).push(1) }; //~ data_race
        });
        scope.spawn(|| {
            // SAFETY: none, the other thread changes it.
            black_box(unsafe { (*LIST.get()).len() }); //~ data_race
        });
    });
}
