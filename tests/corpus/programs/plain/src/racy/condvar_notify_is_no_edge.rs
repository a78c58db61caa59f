//! Races: a notify wakes and orders nothing by itself; only the lock does, and the notifier wrote
//! after it had left the lock.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread;

use shared::{Shared, wait_until};

static LOCK: Mutex<bool> = Mutex::new(false);
static WAKE: Condvar = Condvar::new();
static WAITS: AtomicBool = AtomicBool::new(false);
static DATA: Shared<u64> = Shared::new(0);

pub fn main() {
    let waiter = thread::spawn(|| {
        let guard = LOCK.lock().unwrap();
        WAITS.store(true, Ordering::Relaxed);
        drop(WAKE.wait_while(guard, |done| !*done).unwrap());
        // SAFETY: none, it was written outside the lock.
        black_box(unsafe { *DATA.get() }); //~ data_race
    });
    wait_until(|| WAITS.load(Ordering::Relaxed));
    *LOCK.lock().unwrap() = true;
    // SAFETY: none, see above.
    unsafe { *DATA.get() = 1 }; //~ data_race
    WAKE.notify_one();
    waiter.join().unwrap();
}
