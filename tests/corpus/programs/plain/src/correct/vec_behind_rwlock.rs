//! Correct: a vector that grows under the write lock and is read under the read lock.

use std::sync::RwLock;
use std::thread;

pub fn main() {
    let list = RwLock::new(Vec::new());
    thread::scope(|scope| {
        for start in 0..2 {
            let list = &list;
            scope.spawn(move || {
                for value in 0..100_u64 {
                    list.write().unwrap().push(start * 100 + value);
                }
            });
        }
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..100 {
                    let list = list.read().unwrap();
                    assert!(list.iter().sum::<u64>() < 20_000);
                }
            });
        }
    });
    assert_eq!(list.into_inner().unwrap().len(), 200);
}
