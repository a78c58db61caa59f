//! A counted reference, as `Arc` is made.

use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::thread;

struct Inner {
    count: AtomicUsize,
    value: u32,
}

struct Counted(*mut Inner, Ordering);

// SAFETY: the count is atomic, and the value is only read, until the last one drops it.
unsafe impl Send for Counted {}

impl Counted {
    fn new(value: u32, give_up: Ordering) -> Counted {
        Counted(Box::into_raw(Box::new(Inner { count: AtomicUsize::new(1), value })), give_up)
    }

    fn value(&self) -> u32 {
        // SAFETY: it is there as long as this is.
        unsafe { (*self.0).value }
    }
}

impl Clone for Counted {
    fn clone(&self) -> Counted {
        // SAFETY: as above.
        unsafe { (*self.0).count.fetch_add(1, Ordering::Relaxed) };
        Counted(self.0, self.1)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        // SAFETY: as above, and nobody else has it when the count was 1.
        unsafe {
            if (*self.0).count.fetch_sub(1, self.1) == 1 {
                fence(Ordering::Acquire);
                drop(Box::from_raw(self.0));
            }
        }
    }
}

fn both_read_and_drop(give_up: Ordering) {
    let one = Counted::new(7, give_up);
    let other = one.clone();
    let child = thread::spawn(move || other.value());
    assert_eq!(one.value(), 7);
    drop(one);
    assert_eq!(child.join().unwrap(), 7);
}

#[test]
fn counting() {
    both_read_and_drop(Ordering::Release);
}

#[test]
fn counting_weak() {
    both_read_and_drop(Ordering::Relaxed);
}
