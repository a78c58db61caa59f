//! Races: `JoinHandle::is_finished` says that the thread is done, and is no join.

use std::hint::black_box;
use std::thread;

use shared::{Shared, wait_until};

static DATA: Shared<u64> = Shared::new(0);

pub fn main() {
    let thread = thread::spawn(|| {
        // SAFETY: none, the reader does not join.
        unsafe { *DATA.get() = 1 }; //~ data_race
    });
    wait_until(|| thread.is_finished());
    // SAFETY: none, see above.
    black_box(unsafe { *DATA.get() }); //~ data_race
    thread.join().unwrap();
}
