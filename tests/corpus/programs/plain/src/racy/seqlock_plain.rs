//! Races: a sequence lock whose data are plain: the reader throws away what it read meanwhile, but it
//! has read it.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use shared::{Shared, wait_until};

static SEQUENCE: AtomicU64 = AtomicU64::new(0);
static DATA: Shared<[u64; 2]> = Shared::new([0; 2]);
static READ: AtomicBool = AtomicBool::new(false);

fn write(value: u64) {
    let sequence = SEQUENCE.fetch_add(1, Ordering::AcqRel);
    // SAFETY: none, readers do not keep out.
    unsafe { (*DATA.get())[1] = value }; //~ data_race
    SEQUENCE.store(sequence + 2, Ordering::Release);
}

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(|| {
            write(1);
            wait_until(|| READ.load(Ordering::Relaxed));
            write(2);
        });
        scope.spawn(|| {
            SEQUENCE.load(Ordering::Acquire);
            // SAFETY: none, the writer does not wait.
            black_box(unsafe { (*DATA.get())[1] }); //~ data_race
            READ.store(true, Ordering::Relaxed);
        });
    });
}
