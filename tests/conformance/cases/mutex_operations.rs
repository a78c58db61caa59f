//! Locking, trying, and taking the contents out.

use std::sync::{Arc, Mutex, TryLockError};
use std::thread;

pub fn main() {
    let mutex = Mutex::from(1);
    {
        let mut guard = mutex.lock().unwrap();
        *guard += 1;
        println!("{:?}", matches!(mutex.try_lock(), Err(TryLockError::WouldBlock)));
        println!("{}", mutex.try_lock().unwrap_err());
    }
    *mutex.try_lock().unwrap() += 1;
    let mut mutex = mutex;
    *mutex.get_mut().unwrap() += 1;
    println!("{} {:?}", mutex.into_inner().unwrap(), Mutex::<String>::default());
    let shared = Arc::new(Mutex::new(0));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || (0..1000).for_each(|_| *shared.lock().unwrap() += 1))
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    println!("{}", shared.lock().unwrap());
}
