//! Races: threads that C spawned call back into Rust, which increments a counter without a lock.

use std::ffi::c_void;
use std::ptr;

use shared::Shared;

use crate::between::between_run;

static DATA: Shared<u64> = Shared::new(0);

extern "C" fn increment(argument: *mut c_void) -> *mut c_void {
    // SAFETY: none, every thread does it.
    unsafe { *DATA.get() += 1 }; //~ data_race
    argument
}

pub fn main() {
    // SAFETY: the callback may be called from any thread.
    unsafe { between_run(2, increment, ptr::null_mut()) };
}
