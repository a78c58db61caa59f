//! Races: a channel orders the receiver after the sender, not the sender after the receiver.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;

use shared::{Shared, wait_until};

static DATA: Shared<u64> = Shared::new(0);
static RECEIVED: AtomicBool = AtomicBool::new(false);

pub fn main() {
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(move || {
            sender.send(()).unwrap();
            wait_until(|| RECEIVED.load(Ordering::Relaxed));
            sender.send(()).unwrap();
            // SAFETY: none, the receiver wrote.
            unsafe { *DATA.get() += 1 }; //~ data_race
        });
        scope.spawn(move || {
            receiver.recv().unwrap();
            // SAFETY: none, the sender writes.
            unsafe { *DATA.get() += 1 }; //~ data_race
            RECEIVED.store(true, Ordering::Relaxed);
            receiver.recv().unwrap();
        });
    });
}
