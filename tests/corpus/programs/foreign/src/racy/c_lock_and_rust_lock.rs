//! Races: one thread holds a lock of C's, the other one of Rust's.

use std::ffi::c_void;
use std::ptr;
use std::sync::Mutex;
use std::thread;

use shared::Shared;

use crate::between::between_locked;

static LOCK: Mutex<()> = Mutex::new(());
static DATA: Shared<u64> = Shared::new(0);

extern "C" fn increment(argument: *mut c_void) -> *mut c_void {
    // SAFETY: none, the locks are two.
    unsafe { *DATA.get() += 1 }; //~ data_race
    argument
}

pub fn main() {
    thread::scope(|scope| {
        // SAFETY: the callback may be called from any thread.
        scope.spawn(|| unsafe { between_locked(increment, ptr::null_mut()) as usize });
        scope.spawn(|| {
            let _guard = LOCK.lock().unwrap();
            increment(ptr::null_mut());
        });
    });
}
