//! A wait on a mutex that was poisoned meanwhile says so.

use std::sync::{Condvar, Mutex};
use std::thread;

pub fn main() {
    let pair = (Mutex::new(false), Condvar::new());
    thread::scope(|scope| {
        let mut guard = pair.0.lock().unwrap();
        scope.spawn(|| {
            let thread = thread::scope(|inner| {
                inner
                    .spawn(|| {
                        let mut guard = pair.0.lock().unwrap();
                        *guard = true;
                        pair.1.notify_one();
                        panic!("with the guard");
                    })
                    .join()
            });
            println!("{}", thread.is_err());
        });
        let waited = loop {
            match pair.1.wait(guard) {
                Ok(again) if !*again => guard = again,
                other => break other,
            }
        };
        println!("{:?}", waited.map(|guard| *guard).map_err(|error| **error.get_ref()));
    });
}
