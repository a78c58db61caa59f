//! A full channel keeps its senders waiting.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

pub fn main() {
    let (sender, receiver) = mpsc::sync_channel(2);
    let sent = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            let (sender, sent) = (sender.clone(), &sent);
            scope.spawn(move || {
                for message in 0..50 {
                    sender.send(message).unwrap();
                    sent.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        drop(sender);
        let mut received = 0;
        while receiver.recv().is_ok() {
            received += 1;
            assert!(sent.load(Ordering::SeqCst) <= received + 2);
        }
        println!("{received}");
    });
}
