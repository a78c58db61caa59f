//! A `static mut` that one thread has, and one that is only used under a lock.

use std::sync::Mutex;
use std::thread;

static mut DEPTH: u32 = 0;
static mut COUNT: u32 = 0;
static LOCK: Mutex<()> = Mutex::new(());

fn deeper() {
    // SAFETY: only the main thread goes deeper.
    unsafe { DEPTH += 1 };
}

fn count() {
    let _lock = LOCK.lock().unwrap();
    // SAFETY: the lock keeps others out.
    unsafe { COUNT += 1 };
}

fn main() {
    let other = thread::spawn(count);
    deeper();
    count();
    other.join().unwrap();
}
