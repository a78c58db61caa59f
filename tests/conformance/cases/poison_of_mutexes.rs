//! A panic with a guard poisons; the error gives the guard; the poison can be cleared.

use std::panic;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::thread;

pub fn main() {
    let mutex = Arc::new(Mutex::new(1));
    let other = Arc::clone(&mutex);
    let joined = thread::spawn(move || {
        let mut guard = other.lock().unwrap();
        *guard = 2;
        panic!("with the guard");
    })
    .join();
    println!("{:?}", joined.unwrap_err().downcast_ref::<&str>());
    println!("{} {:?}", mutex.is_poisoned(), mutex.lock().map(|guard| *guard).map_err(|e| **e.get_ref()));
    println!("{:?}", matches!(mutex.try_lock(), Err(TryLockError::Poisoned(_))));
    *mutex.lock().unwrap_or_else(PoisonError::into_inner) = 3;
    mutex.clear_poison();
    println!("{} {:?}", mutex.is_poisoned(), mutex.lock().map(|guard| *guard).ok());
    let mut mutex = Arc::into_inner(mutex).unwrap();
    println!("{:?}", mutex.get_mut().ok());
    let _ = panic::catch_unwind(panic::AssertUnwindSafe(|| {
        let _guard = mutex.lock();
        panic!("again");
    }));
    println!("{:?}", mutex.get_mut().map_err(|e| *e.into_inner()));
    println!("{:?}", mutex.into_inner().map_err(PoisonError::into_inner));
}
