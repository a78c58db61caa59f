//! Constructors and methods are ordinary functions.

use std::sync::{Condvar, LockResult, Mutex, MutexGuard, RwLock};
use std::thread;

pub fn main() {
    let new: fn(u8) -> Mutex<u8> = Mutex::new;
    let mutexes: Vec<_> = [1, 2, 3].into_iter().map(new).collect();
    let sum: u8 = mutexes.into_iter().map(Mutex::into_inner).map(Result::unwrap).sum();
    println!("{sum}");
    let locks: Vec<_> = [1, 2].map(RwLock::new).into_iter().map(RwLock::into_inner).collect();
    println!("{locks:?}");
    let lock: for<'a> fn(&'a Mutex<u8>) -> LockResult<MutexGuard<'a, u8>> = Mutex::lock;
    println!("{:?}", lock(&Mutex::new(4)).map(|guard| *guard).ok());
    let make: fn() -> Condvar = Condvar::default;
    println!("{:?}", make());
    let spawn: fn(fn() -> u8) -> thread::JoinHandle<u8> = thread::spawn;
    println!("{:?}", spawn(|| 5).join().ok());
}
