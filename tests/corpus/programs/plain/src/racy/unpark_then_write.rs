//! Races: the data is written after the `unpark` that says that it is there.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use shared::{Shared, wait_until};

static DATA: Shared<u64> = Shared::new(0);
static READ: AtomicBool = AtomicBool::new(false);

pub fn main() {
    let waiter = thread::spawn(|| {
        thread::park();
        // SAFETY: none, the writer is not done.
        black_box(unsafe { *DATA.get() }); //~ data_race
        READ.store(true, Ordering::Relaxed);
    });
    waiter.thread().unpark();
    wait_until(|| READ.load(Ordering::Relaxed));
    // SAFETY: none, see above.
    unsafe { *DATA.get() = 1 }; //~ data_race
    waiter.join().unwrap();
}
