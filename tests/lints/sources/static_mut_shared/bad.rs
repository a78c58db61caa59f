//! A `static mut` that threads share.

use std::thread;

static mut COUNT: u32 = 0;

fn count() {
    // SAFETY: it is not: two threads count.
    unsafe { COUNT += 1 };
}

fn main() {
    let other = thread::spawn(|| {
        // SAFETY: it is not.
        unsafe { COUNT += 1 }; //~ static_mut_shared
    });
    count();
    other.join().unwrap();
}
