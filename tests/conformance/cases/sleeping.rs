//! Sleeps last at least as long as they should.

use std::thread;
use std::time::{Duration, Instant};

#[expect(deprecated, reason = "this is about them")]
pub fn main() {
    let start = Instant::now();
    thread::sleep(Duration::from_millis(10));
    println!("{}", start.elapsed() >= Duration::from_millis(10));
    thread::sleep_ms(5);
    println!("{}", start.elapsed() >= Duration::from_millis(15));
    thread::park_timeout_ms(1);
    thread::sleep(Duration::ZERO);
    thread::yield_now();
    println!("{}", thread::panicking());
}
