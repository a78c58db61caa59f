//! Correct: plain accesses before the threads begin and after they end, atomic ones between; plain and
//! atomic reads at the same time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

pub fn main() {
    let mut count = AtomicU64::new(0);
    *count.get_mut() = 4;
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| count.fetch_add(1, Ordering::Relaxed));
        }
    });
    assert_eq!(*count.get_mut(), 8);
    thread::scope(|scope| {
        scope.spawn(|| assert_eq!(count.load(Ordering::Relaxed), 8));
        scope.spawn(|| {
            // SAFETY: nobody writes meanwhile.
            assert_eq!(unsafe { *count.as_ptr() }, 8);
        });
    });
    assert_eq!(count.into_inner(), 8);
}
