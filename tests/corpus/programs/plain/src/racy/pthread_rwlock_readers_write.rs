//! Races: two threads that hold the C library's read lock, and both write.

use std::cell::UnsafeCell;
use std::thread;

use shared::Shared;

struct Lock(UnsafeCell<libc::pthread_rwlock_t>);

// SAFETY: the C library's objects are made for it.
unsafe impl Sync for Lock {}

static LOCK: Lock = Lock(UnsafeCell::new(libc::PTHREAD_RWLOCK_INITIALIZER));
static DATA: Shared<u64> = Shared::new(0);

fn increment() {
    // SAFETY: none, other readers do the same.
    unsafe {
        libc::pthread_rwlock_rdlock(LOCK.0.get());
        *DATA.get() += 1; //~ data_race
        libc::pthread_rwlock_unlock(LOCK.0.get());
    }
}

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(increment);
        scope.spawn(increment);
    });
}
