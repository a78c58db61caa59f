//! Correct: a release store publishes the message to whoever acquires it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use shared::{Shared, wait_until};

static MESSAGE: Shared<String> = Shared::new(String::new());
static SENT: AtomicBool = AtomicBool::new(false);

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(|| {
            // SAFETY: nobody reads it before the flag is set.
            unsafe { *MESSAGE.get() = "hello".to_owned() };
            SENT.store(true, Ordering::Release);
        });
        scope.spawn(|| {
            wait_until(|| SENT.load(Ordering::Acquire));
            // SAFETY: the flag orders it.
            assert_eq!(unsafe { (*MESSAGE.get()).as_str() }, "hello");
        });
    });
}
