//! Races: one thread has long ended when the other begins, but nobody has joined it: time is no order.

use std::thread;
use std::time::Duration;

use shared::Shared;

static DATA: Shared<u64> = Shared::new(0);

fn increment() {
    // SAFETY: none, nothing orders the two threads.
    unsafe { *DATA.get() += 1 }; //~ data_race
}

pub fn main() {
    let one = thread::spawn(increment);
    thread::sleep(Duration::from_millis(30));
    let other = thread::spawn(increment);
    one.join().unwrap();
    other.join().unwrap();
}
