//! What was sent and not received is dropped with the receiver, all of it.

use std::sync::mpsc;

struct Loud(u8);

impl Drop for Loud {
    fn drop(&mut self) {
        println!("dropped {}", self.0);
    }
}

pub fn main() {
    let (sender, receiver) = mpsc::channel();
    (0..3).for_each(|number| drop(sender.send(Loud(number))));
    drop(receiver.recv());
    drop(receiver);
    println!("receiver gone");
    drop(sender.send(Loud(9)));
    drop(sender);
    let (sender, receiver) = mpsc::sync_channel(2);
    drop(sender.send(Loud(10)));
    drop(sender.try_send(Loud(11)));
    drop(sender.try_send(Loud(12)));
    drop(sender);
    println!("sender gone");
    drop(receiver);
    // A message that holds the channel's own sender.
    let (sender, receiver) = mpsc::channel::<Box<dyn std::any::Any>>();
    sender.send(Box::new(sender.clone())).unwrap();
    sender.send(Box::new(Loud(13))).unwrap();
    drop(receiver);
    println!("end");
}
