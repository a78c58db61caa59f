//! Races: a pointer goes through a crossbeam channel, and its sender goes on using it.

use std::thread;

use crossbeam_channel::unbounded;
use shared::Pointer;

pub fn main() {
    let (sender, receiver) = unbounded();
    let mut data = 0_u64;
    let data = Pointer(&raw mut data);
    thread::scope(|scope| {
        // Lent, for a channel whose end is gone says so to the other.
        scope.spawn(|| {
            sender.send(data).unwrap();
            // SAFETY: none, the receiver has it.
            unsafe { *data.get() += 1 }; //~ data_race
        });
        scope.spawn(move || {
            let data: Pointer<u64> = receiver.recv().unwrap();
            // SAFETY: none, the sender has it too.
            unsafe { *data.get() += 1 }; //~ data_race
        });
    });
}
