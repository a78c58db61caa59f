//! Races: two threads hold the read lock, and both write. The lock's own word is an atomic that both
//! change, but readers are not ordered among themselves.

use std::sync::RwLock;
use std::thread;

use shared::Shared;

static LOCK: RwLock<()> = RwLock::new(());
static DATA: Shared<u64> = Shared::new(0);

fn increment() {
    let _guard = LOCK.read().unwrap();
    // SAFETY: none, other readers do the same.
    unsafe { *DATA.get() += 1 }; //~ data_race
}

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(increment);
        scope.spawn(increment);
    });
}
