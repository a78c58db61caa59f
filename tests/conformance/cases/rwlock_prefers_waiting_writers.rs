//! A reader that comes after a waiting writer waits too.

use std::sync::{RwLock, TryLockError};
use std::thread;
use std::time::Duration;

pub fn main() {
    let rwlock = RwLock::new(0);
    let reader = rwlock.read().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| *rwlock.write().unwrap() = 1);
        while rwlock.try_read().is_ok() {
            thread::sleep(Duration::from_millis(1));
        }
        println!("{} {:?}", *reader, matches!(rwlock.try_read(), Err(TryLockError::WouldBlock)));
        drop(reader);
    });
    println!("{:?}", rwlock.into_inner());
}
