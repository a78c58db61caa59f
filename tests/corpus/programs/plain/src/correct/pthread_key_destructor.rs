//! Correct: a destructor of a key of the C library runs before the thread ends, so a join orders it.

use std::ffi::c_void;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use shared::Shared;

static SUM: Shared<u64> = Shared::new(0);
static KEY: AtomicU32 = AtomicU32::new(0);

unsafe extern "C" fn leave(value: *mut c_void) {
    // SAFETY: a box that the thread left, and the threads are joined one after the other.
    unsafe { *SUM.get() += *Box::from_raw(value.cast::<u64>()) };
}

pub fn main() {
    let mut key = 0;
    // SAFETY: a new key.
    assert_eq!(unsafe { libc::pthread_key_create(&raw mut key, Some(leave)) }, 0);
    KEY.store(key, Ordering::Relaxed);
    for value in 1..=5_u64 {
        let thread = thread::spawn(move || {
            let value = Box::into_raw(Box::new(value));
            // SAFETY: the key exists, and its destructor frees the box.
            unsafe { libc::pthread_setspecific(KEY.load(Ordering::Relaxed), value.cast()) };
        });
        thread.join().unwrap();
    }
    // SAFETY: all threads are joined.
    assert_eq!(unsafe { *SUM.get() }, 15);
}
