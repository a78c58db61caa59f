//! A token is kept until the next park, and does not add up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub fn main() {
    let me = thread::current();
    me.unpark();
    me.unpark();
    thread::park();
    let start = Instant::now();
    thread::park_timeout(Duration::from_millis(20));
    println!("{}", start.elapsed() >= Duration::from_millis(10));
    me.unpark();
    let start = Instant::now();
    thread::park_timeout(Duration::from_secs(60));
    println!("{}", start.elapsed() < Duration::from_secs(30));
    let flag = AtomicBool::new(false);
    thread::scope(|scope| {
        let waits = scope.spawn(|| {
            while !flag.load(Ordering::Acquire) {
                thread::park();
            }
            println!("unparked");
        });
        flag.store(true, Ordering::Release);
        waits.thread().unpark();
    });
    thread::scope(|scope| {
        let main = thread::current();
        scope.spawn(move || main.unpark());
        thread::park();
    });
    println!("end");
}
