//! Scoped threads borrow, nest, and are joined at the end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

pub fn main() {
    let mut numbers = vec![1, 2, 3];
    let mut sum = 0;
    let returned = thread::scope(|scope| {
        let length = scope.spawn(|| numbers.len());
        scope.spawn(|| {
            for number in &numbers {
                sum += number;
            }
            scope.spawn(|| println!("a thread of a thread"));
        });
        length.join().unwrap()
    });
    numbers.push(4);
    println!("{returned} {sum} {numbers:?}");
    let counter = AtomicUsize::new(0);
    thread::scope(|outer| {
        for _ in 0..3 {
            outer.spawn(|| {
                thread::scope(|inner| {
                    for _ in 0..3 {
                        inner.spawn(|| counter.fetch_add(1, Ordering::Relaxed));
                    }
                });
            });
        }
    });
    println!("{counter:?}");
}
