//! Correct: `Arc::get_mut` succeeds only once the other owner has dropped its share, and is ordered
//! after all that it did.

use std::sync::Arc;
use std::thread;

use shared::Shared;

pub fn main() {
    for _ in 0..30 {
        let mut data = Arc::new(Shared::new(1));
        let other = Arc::clone(&data);
        let thread = thread::spawn(move || {
            // SAFETY: the owner waits until this share is gone.
            unsafe { *other.get() += 1 };
        });
        let value = loop {
            match Arc::get_mut(&mut data) {
                Some(value) => break value,
                None => thread::yield_now(),
            }
        };
        // SAFETY: the only owner.
        unsafe { *value.get() += 1 };
        // SAFETY: as above.
        assert_eq!(unsafe { *data.get() }, 3);
        thread.join().unwrap();
    }
}
