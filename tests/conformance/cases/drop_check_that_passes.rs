//! Contents may die before a lock or a once cell that does not look at them.

use std::sync::{Mutex, OnceLock, RwLock};

pub fn main() {
    let mutex;
    let rwlock;
    let cell;
    let text = String::from("text");
    mutex = Mutex::new(text.as_str());
    rwlock = RwLock::new(text.as_str());
    cell = OnceLock::new();
    cell.set(text.as_str()).unwrap();
    println!("{} {} {:?}", *mutex.lock().unwrap(), *rwlock.read().unwrap(), cell.get());
}
