//! Correct: of several threads that call `Arc::into_inner`, exactly one gets the value, ordered after
//! all that the others did.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use shared::Shared;

pub fn main() {
    for _ in 0..30 {
        let data: Arc<[Shared<u64>; 3]> = Arc::new(Default::default());
        let winners = AtomicU32::new(0);
        thread::scope(|scope| {
            for index in 0..3 {
                let (data, winners) = (Arc::clone(&data), &winners);
                scope.spawn(move || {
                    // SAFETY: each thread has its own.
                    unsafe { *data[index].get() = 1 };
                    if let Some(data) = Arc::into_inner(data) {
                        // SAFETY: the only owner.
                        assert_eq!(data.iter().map(|slot| unsafe { *slot.get() }).sum::<u64>(), 3);
                        winners.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            drop(data);
        });
        assert!(winners.into_inner() <= 1);
        let once = Arc::try_unwrap(Arc::new(5));
        assert_eq!(once, Ok(5));
    }
}
