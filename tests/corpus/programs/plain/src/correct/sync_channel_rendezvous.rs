//! Correct: a channel without capacity orders both ways: the receiver after the send, and the sender,
//! once it goes on, after the receive.

use std::sync::mpsc::sync_channel;
use std::thread;

use shared::Shared;

static DATA: Shared<[u64; 2]> = Shared::new([0; 2]);

pub fn main() {
    let (sender, receiver) = sync_channel(0);
    thread::scope(|scope| {
        scope.spawn(move || {
            for round in 0..50 {
                // SAFETY: the receiver reads it after the message.
                unsafe { (*DATA.get())[0] = round };
                sender.send(round).unwrap();
                sender.send(round).unwrap();
            }
        });
        scope.spawn(move || {
            for round in 0..50 {
                assert_eq!(receiver.recv(), Ok(round));
                // SAFETY: the sender does not go on before the second message is taken.
                assert_eq!(unsafe { (*DATA.get())[0] }, round);
                assert_eq!(receiver.recv(), Ok(round));
            }
        });
    });
}
