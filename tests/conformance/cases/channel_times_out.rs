//! A timed receive waits its time and not longer than a message.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

pub fn main() {
    let (sender, receiver) = mpsc::channel();
    let start = Instant::now();
    println!("{:?}", receiver.recv_timeout(Duration::from_millis(20)));
    println!("{}", start.elapsed() >= Duration::from_millis(20));
    sender.send(1).unwrap();
    println!("{:?}", receiver.recv_timeout(Duration::ZERO));
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(5));
            sender.send(2).unwrap();
        });
        println!("{:?}", receiver.recv_timeout(Duration::from_secs(60)));
        println!("{:?}", receiver.recv_timeout(Duration::from_nanos(1)));
    });
    let thread = thread::spawn(move || drop(sender));
    println!("{:?}", receiver.recv_timeout(Duration::MAX));
    thread.join().unwrap();
    let (sender, receiver) = mpsc::sync_channel::<u8>(0);
    println!("{:?} {:?}", receiver.recv_timeout(Duration::from_millis(2)), sender.try_send(1));
}
