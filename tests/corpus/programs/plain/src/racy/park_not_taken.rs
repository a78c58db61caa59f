//! Races: the waiter finds the relaxed flag set and never parks, so it takes no token.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use shared::{Shared, wait_until};

static DATA: Shared<u64> = Shared::new(0);
static READY: AtomicBool = AtomicBool::new(false);

pub fn main() {
    let waiter = thread::spawn(|| {
        wait_until(|| READY.load(Ordering::Relaxed));
        while !READY.load(Ordering::Relaxed) {
            thread::park();
        }
        // SAFETY: none, the flag orders nothing.
        black_box(unsafe { *DATA.get() }); //~ data_race
    });
    // SAFETY: none, see above.
    unsafe { *DATA.get() = 1 }; //~ data_race
    READY.store(true, Ordering::Relaxed);
    waiter.thread().unpark();
    waiter.join().unwrap();
}
