//@ rejected: unused_must_use
//! A guard that is dropped at once is remarked on.

#![deny(unused_must_use)]

use std::sync::{Mutex, RwLock};

pub fn main() {
    Mutex::new(1).lock().unwrap();
    RwLock::new(1).read().unwrap();
    RwLock::new(1).write().unwrap();
}
