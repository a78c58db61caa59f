//! Races: one reader has left its lock before the other comes; that is no order between readers.

use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use shared::{Shared, wait_until};

static LOCK: RwLock<()> = RwLock::new(());
static DATA: Shared<u64> = Shared::new(0);
static LEFT: AtomicBool = AtomicBool::new(false);

fn increment() {
    let _guard = LOCK.read().unwrap();
    // SAFETY: none, the other reader is not ordered with this.
    unsafe { *DATA.get() += 1 }; //~ data_race
}

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(|| {
            increment();
            LEFT.store(true, Ordering::Relaxed);
        });
        scope.spawn(|| {
            wait_until(|| LEFT.load(Ordering::Relaxed));
            increment();
        });
    });
}
