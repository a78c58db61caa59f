//! Races: a flag that is read and written volatile, which is not atomic.

use std::thread;

use shared::Shared;

static STOP: Shared<bool> = Shared::new(false);

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(|| {
            // SAFETY: none, volatile orders nothing between threads.
            while !unsafe { STOP.get().read_volatile() } {
                //~^ data_race
                thread::yield_now();
            }
        });
        // SAFETY: none, see above.
        scope.spawn(|| unsafe { STOP.get().write_volatile(true) }); //~ data_race
    });
}
