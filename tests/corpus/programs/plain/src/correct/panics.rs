//! Correct: threads that panic, are caught, and whose payloads come out by join.

use std::panic::{self, AssertUnwindSafe};
use std::thread;

use shared::Shared;

static DATA: Shared<u64> = Shared::new(0);

struct Counts;

impl Drop for Counts {
    fn drop(&mut self) {
        // SAFETY: the threads are joined one after the other.
        unsafe { *DATA.get() += 1 };
    }
}

fn fall(depth: u32) {
    let _counts = Counts;
    if depth == 0 {
        panic::panic_any(vec![1, 2, 3]);
    }
    fall(depth - 1);
}

pub fn main() {
    panic::set_hook(Box::new(|_| ()));
    for _ in 0..5 {
        let payload = thread::spawn(|| fall(4)).join().unwrap_err();
        assert_eq!(payload.downcast_ref::<Vec<i32>>(), Some(&vec![1, 2, 3]));
        let caught = thread::spawn(|| panic::catch_unwind(AssertUnwindSafe(|| fall(4))).is_err());
        assert!(caught.join().unwrap());
    }
    // SAFETY: all threads are joined.
    assert_eq!(unsafe { *DATA.get() }, 50);
}
