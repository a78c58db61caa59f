//! Races: a pointer into a dashmap's value is used when its guard is gone.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use dashmap::DashMap;
use shared::wait_until;

static LEFT: AtomicBool = AtomicBool::new(false);

pub fn main() {
    let map = DashMap::new();
    map.insert(1, 0_u64);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut guard = map.get_mut(&1).unwrap();
            let pointer = &raw mut *guard;
            drop(guard);
            LEFT.store(true, Ordering::Relaxed);
            // SAFETY: none, the guard is gone.
            unsafe { *pointer += 1 }; //~ data_race
        });
        scope.spawn(|| {
            wait_until(|| LEFT.load(Ordering::Relaxed));
            *map.get_mut(&1).unwrap() += 1; //~ data_race
        });
    });
}
