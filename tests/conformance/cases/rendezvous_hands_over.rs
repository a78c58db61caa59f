//! Without room a message is handed from one hand to the other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

pub fn main() {
    let (sender, receiver) = mpsc::sync_channel(0);
    let received = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            sender.send(1).unwrap();
            println!("handed over");
            while sender.try_send(2).is_err() {
                thread::yield_now();
            }
            assert_eq!(sender.send(3), Ok(()));
        });
        thread::sleep(Duration::from_millis(5));
        received.store(true, Ordering::SeqCst);
        println!("{:?} {:?}", receiver.recv(), receiver.recv());
        loop {
            if let Ok(message) = receiver.try_recv() {
                println!("{message}");
                break;
            }
            thread::yield_now();
        }
    });
    let (sender, receiver) = mpsc::sync_channel(0);
    let sum: u32 = thread::scope(|scope| {
        for number in 0..3 {
            let sender = sender.clone();
            scope.spawn(move || (0..100).for_each(|message| sender.send(number * message).unwrap()));
        }
        drop(sender);
        receiver.iter().sum()
    });
    println!("{sum}");
}
