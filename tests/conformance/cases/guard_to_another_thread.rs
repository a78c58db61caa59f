//@ rejected: E0277
//! A guard stays in its thread.

use std::sync::Mutex;

pub fn main() {
    let mutex = Mutex::new(1);
    let guard = mutex.lock().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || drop(guard));
    });
}
