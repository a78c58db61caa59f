//! Readers together, a writer alone, and a downgrade between.

use std::sync::{RwLock, RwLockWriteGuard, TryLockError};
use std::thread;

pub fn main() {
    let rwlock = RwLock::from(1);
    {
        let (first, second) = (rwlock.read().unwrap(), rwlock.try_read().unwrap());
        println!("{} {:?}", *first + *second, matches!(rwlock.try_write(), Err(TryLockError::WouldBlock)));
    }
    let mut writer = rwlock.write().unwrap();
    *writer = 5;
    println!("{} {}", rwlock.try_read().is_err(), rwlock.try_write().is_err());
    let reader = RwLockWriteGuard::downgrade(writer);
    println!("{} {:?} {}", *reader, rwlock.try_read().map(|guard| *guard).ok(), rwlock.try_write().is_err());
    drop(reader);
    let total = thread::scope(|scope| {
        let writers: Vec<_> =
            (0..3).map(|_| scope.spawn(|| (0..1000).for_each(|_| *rwlock.write().unwrap() += 1))).collect();
        let readers: Vec<_> =
            (0..3).map(|_| scope.spawn(|| (0..1000).map(|_| *rwlock.read().unwrap()).max())).collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        readers.into_iter().for_each(|reader| assert!(reader.join().unwrap() <= Some(3005)));
        *rwlock.read().unwrap()
    });
    println!("{total} {:?}", rwlock.into_inner());
}
