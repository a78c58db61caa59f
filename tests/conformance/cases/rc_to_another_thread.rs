//@ rejected: E0277
//! What is not `Send` does not become it in a mutex.

use std::rc::Rc;
use std::sync::Mutex;

pub fn main() {
    let mutex = Mutex::new(Rc::new(1));
    std::thread::spawn(move || mutex.lock().map(|value| **value).ok());
}
