//! Races: two threads of the C library, one of which takes the lock for its writes.

use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::{mem, ptr};

use shared::Shared;

struct Lock(UnsafeCell<libc::pthread_mutex_t>);

// SAFETY: the C library's objects are made for it.
unsafe impl Sync for Lock {}

static LOCK: Lock = Lock(UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER));
static DATA: Shared<u64> = Shared::new(0);

extern "C" fn locked(_: *mut c_void) -> *mut c_void {
    // SAFETY: none, the other thread takes no lock.
    unsafe {
        libc::pthread_mutex_lock(LOCK.0.get());
        *DATA.get() += 1; //~ data_race
        libc::pthread_mutex_unlock(LOCK.0.get());
    }
    ptr::null_mut()
}

extern "C" fn unlocked(_: *mut c_void) -> *mut c_void {
    // SAFETY: none, see above.
    unsafe { *DATA.get() += 1 }; //~ data_race
    ptr::null_mut()
}

pub fn main() {
    // SAFETY: both are joined.
    unsafe {
        let mut threads: [libc::pthread_t; 2] = mem::zeroed();
        libc::pthread_create(&raw mut threads[0], ptr::null(), locked, ptr::null_mut());
        libc::pthread_create(&raw mut threads[1], ptr::null(), unlocked, ptr::null_mut());
        for thread in threads {
            libc::pthread_join(thread, ptr::null_mut());
        }
    }
}
