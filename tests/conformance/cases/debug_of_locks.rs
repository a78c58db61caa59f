//! What locks show of themselves in each state.

use std::panic;
use std::sync::{Mutex, RwLock};

pub fn main() {
    let mutex = Mutex::new(vec![1, 2]);
    println!("{mutex:?}");
    println!("{mutex:#?}");
    {
        let guard = mutex.lock().unwrap();
        println!("{mutex:?} {mutex:#?} {guard:?} {guard:#?}");
    }
    let rwlock = RwLock::new("text");
    println!("{rwlock:?} {rwlock:#?}");
    {
        let guard = rwlock.read().unwrap();
        println!("{rwlock:?} {guard:?} {guard}");
    }
    {
        let guard = rwlock.write().unwrap();
        println!("{rwlock:?} {rwlock:#?} {guard:?} {guard:>6}");
    }
    let _ = panic::catch_unwind(|| {
        let _mutex = mutex.lock();
        let _rwlock = rwlock.write();
        panic!("poison");
    });
    println!("{mutex:?} {mutex:#?} {rwlock:?} {rwlock:#?}");
    println!("{:?}", mutex.lock());
    println!("{}", mutex.lock().unwrap_err());
    println!("{:?}", mutex.try_lock());
    println!("{}", mutex.try_lock().unwrap_err());
}
