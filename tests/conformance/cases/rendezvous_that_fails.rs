//! A sender that waits gets its message back when the receiver goes.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

pub fn main() {
    let (sender, receiver) = mpsc::sync_channel(0);
    thread::scope(|scope| {
        let waits = scope.spawn(move || sender.send("back"));
        thread::sleep(Duration::from_millis(5));
        drop(receiver);
        println!("{:?}", waits.join().unwrap().unwrap_err().0);
    });
    let (sender, receiver) = mpsc::sync_channel(1);
    sender.send("lost").unwrap();
    thread::scope(|scope| {
        let waits = scope.spawn(|| sender.send("back"));
        thread::sleep(Duration::from_millis(5));
        drop(receiver);
        println!("{:?}", waits.join().unwrap().unwrap_err().0);
    });
    let (sender, receiver) = mpsc::sync_channel::<u8>(0);
    thread::scope(|scope| {
        let waits = scope.spawn(move || receiver.recv());
        thread::sleep(Duration::from_millis(5));
        drop(sender);
        println!("{:?}", waits.join().unwrap());
    });
}
