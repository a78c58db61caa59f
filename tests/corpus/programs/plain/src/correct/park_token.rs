//! Correct: what was done before an `unpark` is seen by the `park` that takes its token, whether the
//! token came before or after; the flag beside it is relaxed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use shared::Shared;

struct Handover {
    data: Shared<u64>,
    is_done: AtomicBool,
}

fn hand_over(delay: Duration) {
    let handover = Handover { data: Shared::new(0), is_done: AtomicBool::new(false) };
    thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            loop {
                thread::park();
                if handover.is_done.load(Ordering::Relaxed) {
                    break;
                }
            }
            // SAFETY: the token was given after it was written.
            assert_eq!(unsafe { *handover.data.get() }, 1);
        });
        thread::sleep(delay);
        // SAFETY: the waiter parks first.
        unsafe { *handover.data.get() = 1 };
        handover.is_done.store(true, Ordering::Relaxed);
        waiter.thread().unpark();
    });
}

pub fn main() {
    for delay in [0, 1, 10] {
        hand_over(Duration::from_millis(delay));
    }
}
