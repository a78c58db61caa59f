//! Correct: joined by hand within the scope, the thread's writes come before its owner's.

use std::thread;

use shared::Shared;

pub fn main() {
    let data = Shared::new(0_u64);
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // SAFETY: the owner waits.
            unsafe { *data.get() += 1 };
        });
        thread.join().unwrap();
        // SAFETY: the thread has ended.
        unsafe { *data.get() += 1 };
        scope.spawn(|| {
            // SAFETY: spawned after the writes above, and the last to touch it.
            unsafe { *data.get() += 1 };
        });
    });
    // SAFETY: the scope has ended.
    assert_eq!(unsafe { *data.get() }, 3);
}
