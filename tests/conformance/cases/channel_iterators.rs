//! Iterators take what there is, or wait for what will be.

use std::sync::mpsc;
use std::thread;

pub fn main() {
    let (sender, receiver) = mpsc::channel();
    println!("{:?}", receiver.try_iter().collect::<Vec<u8>>());
    sender.send(1).unwrap();
    sender.send(2).unwrap();
    println!("{:?}", receiver.try_iter().collect::<Vec<_>>());
    let thread = thread::spawn(move || (0..5).for_each(|number| sender.send(number).unwrap()));
    println!("{:?} {:?}", receiver.iter().next(), receiver.iter().take(2).collect::<Vec<_>>());
    println!("{:?}", receiver.into_iter().collect::<Vec<_>>());
    thread.join().unwrap();
}
