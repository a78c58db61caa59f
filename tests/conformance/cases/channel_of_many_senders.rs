//! Messages of one sender stay in order, and all arrive.

use std::sync::mpsc;
use std::thread;

pub fn main() {
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for number in 0..4 {
            let sender = sender.clone();
            scope.spawn(move || (0..500).for_each(|message| sender.send((number, message)).unwrap()));
        }
        drop(sender);
        let mut last = [None; 4];
        let mut count = 0;
        for (number, message) in &receiver {
            assert!(last[number] < Some(message));
            last[number] = Some(message);
            count += 1;
        }
        println!("{count} {last:?}");
    });
    println!("{:?} {:?}", receiver.recv(), receiver.try_recv());
}
