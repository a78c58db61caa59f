//! Races: two threads that hold parking_lot's read lock, and both write.

use std::thread;

use parking_lot::RwLock;
use shared::Shared;

static LOCK: RwLock<()> = RwLock::new(());
static DATA: Shared<u64> = Shared::new(0);

fn increment() {
    let _guard = LOCK.read();
    // SAFETY: none, other readers do the same.
    unsafe { *DATA.get() += 1 }; //~ data_race
}

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(increment);
        scope.spawn(increment);
    });
}
