//! Correct: two slots that go back and forth between two threads as tokens in bounded channels.

use std::sync::mpsc::sync_channel;
use std::thread;

use shared::Shared;

static SLOTS: [Shared<u64>; 2] = [const { Shared::new(0) }; 2];

pub fn main() {
    let (full, filled) = sync_channel::<usize>(1);
    let (empty, emptied) = sync_channel::<usize>(2);
    empty.send(0).unwrap();
    empty.send(1).unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            for value in 0..200 {
                let slot = emptied.recv().unwrap();
                // SAFETY: the token says that the slot is this thread's.
                unsafe { *SLOTS[slot].get() = value };
                full.send(slot).unwrap();
            }
        });
        scope.spawn(move || {
            for value in 0..200 {
                let slot = filled.recv().unwrap();
                // SAFETY: the message says that the slot is this thread's.
                assert_eq!(unsafe { *SLOTS[slot].get() }, value);
                let _ = empty.send(slot);
            }
        });
    });
}
