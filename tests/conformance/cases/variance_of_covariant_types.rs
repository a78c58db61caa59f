//! A read guard, a join handle of a scope and iterators may shorten a lifetime where std lets them.

use std::sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

fn guard<'a>(guard: RwLockReadGuard<'a, &'static str>) -> RwLockReadGuard<'a, &'a str> {
    guard
}

fn shorter<'long: 'short, 'short>(guard: MutexGuard<'long, u8>) -> MutexGuard<'short, u8> {
    guard
}

fn write<'long: 'short, 'short>(guard: RwLockWriteGuard<'long, u8>) -> RwLockWriteGuard<'short, u8> {
    guard
}

pub fn main() {
    let rwlock = RwLock::new("text");
    println!("{}", *guard(rwlock.read().unwrap()));
    let mutex = Mutex::new(1);
    println!("{}", *shorter(mutex.lock().unwrap()));
    let rwlock = RwLock::new(2);
    println!("{}", *write(rwlock.write().unwrap()));
}
