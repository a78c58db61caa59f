//! A scope panics for threads that nobody joined, and only for them.

use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

fn message(error: Box<dyn std::any::Any + Send>) -> String {
    error
        .downcast_ref::<&str>()
        .map(|text| String::from(*text))
        .or_else(|| error.downcast_ref::<String>().cloned())
        .unwrap_or_default()
}

pub fn main() {
    let joined = panic::catch_unwind(|| {
        thread::scope(|scope| scope.spawn(|| panic!("joined")).join().map_err(message).unwrap_err())
    });
    println!("{joined:?}");
    let unjoined = panic::catch_unwind(|| {
        thread::scope(|scope| {
            scope.spawn(|| panic!("unjoined"));
        });
    });
    println!("{:?}", unjoined.map_err(message));
    let ended = AtomicBool::new(false);
    let own = panic::catch_unwind(|| -> () {
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(5));
                ended.store(true, Ordering::Relaxed);
            });
            panic!("the scope's own");
        })
    });
    println!("{:?} {ended:?}", own.map_err(message));
}
