//! A writer's panic poisons, a reader's does not.

use std::panic;
use std::sync::{RwLock, TryLockError};

pub fn main() {
    let mut rwlock = RwLock::new(1);
    let _ = panic::catch_unwind(|| {
        let _guard = rwlock.read();
        panic!("reader");
    });
    println!("{} {:?}", rwlock.is_poisoned(), rwlock.read().map(|guard| *guard).ok());
    let _ = panic::catch_unwind(|| {
        *rwlock.write().unwrap() = 2;
        let _guard = rwlock.write();
        panic!("writer");
    });
    println!("{} {:?}", rwlock.is_poisoned(), rwlock.read().map_err(|e| **e.get_ref()).map(|guard| *guard));
    println!("{:?}", matches!(rwlock.try_read(), Err(TryLockError::Poisoned(_))));
    println!("{:?}", matches!(rwlock.try_write(), Err(TryLockError::Poisoned(_))));
    println!("{:?}", rwlock.get_mut().map_err(|e| *e.into_inner()));
    rwlock.clear_poison();
    println!("{:?}", rwlock.into_inner().ok());
}
