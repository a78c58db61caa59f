//! Threads that are joined, that tell of their end, or that share nothing.

use std::sync::{Arc, Mutex, mpsc};
use std::thread;

fn main() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&log);
    let writer = thread::spawn(move || shared.lock().unwrap().push("line"));
    writer.join().unwrap();

    let (done, is_done) = mpsc::channel();
    thread::spawn(move || {
        log.lock().unwrap().push("other");
        done.send(()).unwrap();
    });
    is_done.recv().unwrap();

    thread::spawn(|| println!("alone"));
}
