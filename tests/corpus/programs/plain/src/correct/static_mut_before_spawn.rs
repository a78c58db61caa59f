//! Correct: a `static mut` that is written before the threads begin, read by them, and written again
//! when they have ended.

use std::thread;

static mut SETTINGS: [u32; 3] = [0; 3];

pub fn main() {
    for round in 0..10 {
        // SAFETY: no thread is there.
        unsafe { SETTINGS[1] = round };
        let threads = [(); 3].map(|()| {
            // SAFETY: nobody writes.
            thread::spawn(move || assert_eq!(unsafe { SETTINGS[1] }, round))
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}
