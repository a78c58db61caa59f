//! Races: a spin lock that is given back relaxed: who takes it next is not ordered after the last.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use shared::{Shared, wait_until};

static LOCKED: AtomicBool = AtomicBool::new(false);
static DATA: Shared<u64> = Shared::new(0);

fn increment() {
    wait_until(|| !LOCKED.swap(true, Ordering::Acquire));
    // SAFETY: none, the other thread's section is not ordered with this one.
    unsafe { *DATA.get() += 1 }; //~ data_race
    LOCKED.store(false, Ordering::Relaxed);
}

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(increment);
        scope.spawn(increment);
    });
}
