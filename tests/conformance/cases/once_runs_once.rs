//! A once runs one initialiser, and all who call wait for it.

use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

static ONCE: Once = Once::new();
static RUNS: AtomicUsize = AtomicUsize::new(0);

pub fn main() {
    println!("{}", ONCE.is_completed());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                ONCE.call_once(|| {
                    thread::sleep(Duration::from_millis(10));
                    RUNS.fetch_add(1, Ordering::Relaxed);
                });
                assert_eq!(RUNS.load(Ordering::Relaxed), 1);
            });
        }
        scope.spawn(|| {
            ONCE.wait();
            ONCE.wait_force();
            assert_eq!(RUNS.load(Ordering::Relaxed), 1);
        });
    });
    println!("{} {RUNS:?}", ONCE.is_completed());
}
