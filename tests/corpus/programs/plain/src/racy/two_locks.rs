//! Races: two threads hold a lock each while they write, but not the same one.

use std::sync::Mutex;
use std::thread;

use shared::Shared;

static ONE: Mutex<()> = Mutex::new(());
static OTHER: Mutex<()> = Mutex::new(());
static DATA: Shared<u64> = Shared::new(0);

fn increment(lock: &Mutex<()>) {
    let _guard = lock.lock().unwrap();
    // SAFETY: none, the other thread holds another lock.
    unsafe { *DATA.get() += 1 }; //~ data_race
}

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(|| increment(&ONE));
        scope.spawn(|| increment(&OTHER));
    });
}
