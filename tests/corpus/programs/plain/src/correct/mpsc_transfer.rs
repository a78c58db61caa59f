//! Correct: what is sent through a channel belongs to the receiver, from many senders as well.

use std::sync::mpsc;
use std::thread;

use shared::Pointer;

pub fn main() {
    let (sender, receiver) = mpsc::channel();
    let senders = [1_u64, 2, 3].map(|value| {
        let sender = sender.clone();
        thread::spawn(move || {
            for _ in 0..100 {
                sender.send(Pointer(Box::into_raw(Box::new(value)))).unwrap();
            }
        })
    });
    drop(sender);
    let mut sum = 0;
    for pointer in &receiver {
        // SAFETY: it was a box, and the sender kept nothing.
        let mut value = unsafe { Box::from_raw(pointer.get()) };
        *value += 1;
        sum += *value;
    }
    senders.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(sum, 900);
}
