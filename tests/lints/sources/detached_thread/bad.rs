//! A thread that nobody waits for.

use std::sync::{Arc, Mutex};
use std::thread;

fn main() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&log);
    thread::spawn(move || { //~ detached_thread
        let mut log = shared.lock().unwrap();
        log.push("begin");
        log.push("end");
    });
}
