//! Five small tests, over std or, with the feature `shuttle` or `loom`, over stand-ins for it.

#[cfg(feature = "loom")]
use loom::{
    sync::{Arc, Condvar, Mutex, RwLock, atomic::AtomicUsize, mpsc::channel},
    thread,
};
#[cfg(feature = "shuttle")]
use shuttle::{
    sync::{Arc, Condvar, Mutex, RwLock, atomic::AtomicUsize, mpsc::channel},
    thread,
};
#[cfg(not(any(feature = "shuttle", feature = "loom")))]
use std::{
    sync::{Arc, Condvar, Mutex, RwLock, atomic::AtomicUsize, mpsc::channel},
    thread,
};

use std::sync::atomic::Ordering::SeqCst;

/// Name and body of each.
pub const ALL: [(&str, fn()); 5] =
    [("mutex", mutex), ("atomic", atomic), ("channel", channels), ("condvar", condvar), ("rwlock", rwlock)];

pub fn mutex() {
    let sum = Arc::new(Mutex::new(0));
    let others = sum.clone();
    let other = thread::spawn(move || *others.lock().unwrap() += 1);
    *sum.lock().unwrap() += 1;
    other.join().unwrap();
    assert_eq!(*sum.lock().unwrap(), 2);
}

pub fn atomic() {
    let sum = Arc::new(AtomicUsize::new(0));
    let others = sum.clone();
    let other = thread::spawn(move || others.fetch_add(1, SeqCst));
    sum.fetch_add(1, SeqCst);
    other.join().unwrap();
    assert_eq!(sum.load(SeqCst), 2);
}

pub fn channels() {
    let (sender, receiver) = channel();
    let other = thread::spawn(move || (0..3).for_each(|number| sender.send(number).unwrap()));
    assert_eq!((0..3).map(|_| receiver.recv().unwrap()).sum::<i32>(), 3);
    other.join().unwrap();
}

pub fn condvar() {
    let pair = Arc::new((Mutex::new(false), Condvar::new()));
    let others = pair.clone();
    let other = thread::spawn(move || {
        *others.0.lock().unwrap() = true;
        others.1.notify_one();
    });
    let mut ready = pair.0.lock().unwrap();
    while !*ready {
        ready = pair.1.wait(ready).unwrap();
    }
    drop(ready);
    other.join().unwrap();
}

pub fn rwlock() {
    let value = Arc::new(RwLock::new(1));
    let others = value.clone();
    let other = thread::spawn(move || *others.read().unwrap());
    *value.write().unwrap() += 1;
    assert!(other.join().unwrap() >= 1);
}

#[cfg(all(test, not(any(feature = "shuttle", feature = "loom"))))]
mod tests {
    #[test]
    fn mutex() {
        super::mutex();
    }

    #[test]
    fn atomic() {
        super::atomic();
    }

    #[test]
    fn channel() {
        super::channels();
    }

    #[test]
    fn condvar() {
        super::condvar();
    }

    #[test]
    fn rwlock() {
        super::rwlock();
    }
}
