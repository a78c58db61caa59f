//! Races: a ring of two threads whose reader gives slots back relaxed, so that the writer overwrites
//! what may still be being read.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use shared::{Shared, wait_until};

static SLOT: Shared<u64> = Shared::new(0);
static WRITTEN: AtomicUsize = AtomicUsize::new(0);
static READ: AtomicUsize = AtomicUsize::new(0);

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(|| {
            for value in 0..3 {
                wait_until(|| READ.load(Ordering::Relaxed) == value);
                // SAFETY: none, the read before is not ordered with it.
                unsafe { *SLOT.get() = value as u64 }; //~ data_race
                WRITTEN.store(value + 1, Ordering::Release);
            }
        });
        scope.spawn(|| {
            for value in 0..3 {
                wait_until(|| WRITTEN.load(Ordering::Acquire) > value);
                // SAFETY: none, see above.
                assert_eq!(unsafe { *SLOT.get() }, value as u64); //~ data_race
                READ.store(value + 1, Ordering::Relaxed);
            }
        });
    });
}
