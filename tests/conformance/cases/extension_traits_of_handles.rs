//! `std::os` knows the handles too, and `spawn_unchecked` lends to them.

use std::os::unix::thread::JoinHandleExt;
use std::thread;

pub fn main() {
    let handle = thread::spawn(|| 1);
    println!("{}", handle.as_pthread_t() != 0);
    println!("{}", handle.into_pthread_t() != 0);
    let text = String::from("lent");
    // SAFETY: joined before the text ends.
    let handle = unsafe { thread::Builder::new().spawn_unchecked(|| text.len()) }.unwrap();
    println!("{:?}", handle.join().ok());
    println!("{text}");
}
