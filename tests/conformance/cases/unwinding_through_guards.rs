//! Guards unlock in a panic, in the order of their scopes.

use std::panic;
use std::sync::{Mutex, RwLock};

pub fn main() {
    let (first, second) = (Mutex::new(1), RwLock::new(2));
    let result = panic::catch_unwind(|| -> () {
        let _first = first.lock().unwrap();
        let _second = second.read().unwrap();
        let _third = second.read().unwrap();
        panic!("out");
    });
    println!("{:?}", result.map_err(|error| error.downcast_ref::<&str>().copied()));
    println!("{:?} {:?}", first.try_lock().is_err(), second.try_write().is_ok());
    println!("{} {}", first.is_poisoned(), second.is_poisoned());
}
