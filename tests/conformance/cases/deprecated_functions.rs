//@ rejected: deprecated
//! What std has deprecated is deprecated.

#![deny(deprecated)]

use std::sync::{Condvar, Mutex, ONCE_INIT};

pub fn main() {
    std::thread::sleep_ms(1);
    std::thread::park_timeout_ms(1);
    let mutex = Mutex::new(());
    let _ = Condvar::new().wait_timeout_ms(mutex.lock().unwrap(), 1);
    ONCE_INIT.call_once(|| ());
}
