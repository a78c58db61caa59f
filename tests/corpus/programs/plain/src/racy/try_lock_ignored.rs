//! Races: a `try_lock` that failed, and its caller goes on as if it had not.

use std::sync::{Barrier, Mutex};
use std::thread;

use shared::Shared;

static LOCK: Mutex<()> = Mutex::new(());
static DATA: Shared<u64> = Shared::new(0);

pub fn main() {
    let (held, done) = (Barrier::new(2), Barrier::new(2));
    thread::scope(|scope| {
        scope.spawn(|| {
            let _guard = LOCK.lock().unwrap();
            held.wait();
            // SAFETY: none, the other thread does not care.
            unsafe { *DATA.get() += 1 }; //~ data_race
            done.wait();
        });
        scope.spawn(|| {
            held.wait();
            let guard = LOCK.try_lock();
            assert!(guard.is_err());
            // SAFETY: none, see above.
            unsafe { *DATA.get() += 1 }; //~ data_race
            done.wait();
        });
    });
}
