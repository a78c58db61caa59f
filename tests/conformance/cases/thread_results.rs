//! What a thread returns or panics with reaches who joins it.

use std::thread;

pub fn main() {
    println!("{:?}", thread::spawn(|| "value").join().unwrap());
    let error = thread::spawn(|| panic!("message {}", 1)).join().unwrap_err();
    println!("{:?}", error.downcast_ref::<String>());
    let error = thread::spawn(|| std::panic::panic_any(5_u8)).join().unwrap_err();
    println!("{:?}", error.downcast::<u8>());
    let handle = thread::spawn(|| 1);
    while !handle.is_finished() {
        thread::yield_now();
    }
    println!("{} {:?}", handle.is_finished(), handle.join().ok());
    let handle = thread::spawn(thread::park);
    println!("{}", handle.is_finished());
    handle.thread().unpark();
    handle.join().unwrap();
}
