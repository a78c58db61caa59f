//! What each end says when the other is gone.

use std::sync::mpsc;
use std::time::Duration;

pub fn main() {
    let (sender, receiver) = mpsc::channel();
    sender.send(1).unwrap();
    sender.send(2).unwrap();
    drop(sender);
    println!("{:?} {:?} {:?}", receiver.recv(), receiver.try_recv(), receiver.recv());
    println!("{:?}", receiver.try_recv().map_err(|error| error.to_string()));
    println!("{:?}", receiver.recv_timeout(Duration::ZERO).map_err(|error| error.to_string()));
    println!("{:?}", receiver.recv().map_err(|error| error.to_string()));
    let (sender, receiver) = mpsc::channel();
    drop(receiver);
    println!("{:?} {}", sender.send(3), sender.send(3).unwrap_err());
    println!("{}", sender.clone().send(4).unwrap_err().0);
    let (sender, receiver) = mpsc::sync_channel(1);
    println!("{:?} {:?}", sender.try_send(1), sender.try_send(2));
    println!("{}", sender.try_send(2).unwrap_err());
    drop(receiver);
    println!("{:?} {:?} {}", sender.send(3), sender.try_send(4), sender.try_send(4).unwrap_err());
    let (sender, receiver) = mpsc::sync_channel::<u8>(0);
    println!("{:?} {:?}", sender.try_send(1), receiver.try_recv());
    drop(sender);
    println!("{:?} {:?}", receiver.try_recv(), receiver.recv());
}
