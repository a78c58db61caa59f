//! Races: a `static mut` that several threads increment.

use std::thread;

static mut COUNT: u64 = 0;

pub fn main() {
    let threads = [(); 4].map(|()| {
        thread::spawn(|| {
            for _ in 0..10 {
                // SAFETY: none, the other threads do the same.
                unsafe { COUNT += 1 }; //~ data_race
            }
        })
    });
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}
