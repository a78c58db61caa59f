//! Races: a value made on first use, behind a plain flag.

use std::sync::Barrier;
use std::thread;

use shared::Shared;

static IS_READY: Shared<bool> = Shared::new(false);
static VALUE: Shared<u64> = Shared::new(0);

fn value() -> u64 {
    // SAFETY: none, nothing guards either.
    unsafe {
        if !*IS_READY.get() {
            //~^ data_race
            *VALUE.get() = 42; //? data_race
            *IS_READY.get() = true; //~ data_race
        }
        *VALUE.get() //? data_race
    }
}

pub fn main() {
    let start = Barrier::new(2);
    let after = || {
        start.wait();
        value()
    };
    thread::scope(|scope| {
        let one = scope.spawn(after);
        let other = scope.spawn(after);
        assert_eq!((one.join().unwrap(), other.join().unwrap()), (42, 42));
    });
}
