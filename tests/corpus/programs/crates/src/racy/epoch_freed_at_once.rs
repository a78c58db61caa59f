//! Races: a node of a structure under crossbeam-epoch that is freed at once, while another thread has
//! pinned the epoch and reads it.

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use crossbeam_epoch::{Atomic, Shared, pin};
use shared::wait_until;

static STEP: AtomicU32 = AtomicU32::new(0);

pub fn main() {
    let slot = Atomic::new([1_u64; 4]);
    thread::scope(|scope| {
        scope.spawn(|| {
            let guard = pin();
            let node = slot.load(Ordering::Acquire, &guard);
            STEP.store(1, Ordering::Relaxed);
            wait_until(|| STEP.load(Ordering::Relaxed) == 2);
            // SAFETY: none, the other thread does not wait for the guard.
            black_box(unsafe { node.deref()[1] }); //~ data_race
        });
        scope.spawn(|| {
            wait_until(|| STEP.load(Ordering::Relaxed) == 1);
            let guard = pin();
            let node = slot.swap(Shared::null(), Ordering::AcqRel, &guard);
            // SAFETY: none, the other thread may still read it.
            drop(unsafe { node.into_owned() }); //~ data_race
            STEP.store(2, Ordering::Relaxed);
        });
    });
}
