//! Races: the sender goes on writing what it has sent a pointer to.

use std::hint::black_box;
use std::sync::mpsc;
use std::thread;

use shared::Pointer;

pub fn main() {
    let (sender, receiver) = mpsc::channel();
    let mut data = [0_u64; 4];
    let data = Pointer(&raw mut data);
    thread::scope(|scope| {
        scope.spawn(move || {
            sender.send(data).unwrap();
            // SAFETY: none, the receiver has it.
            unsafe { (*data.get())[1] = 1 }; //~ data_race
        });
        scope.spawn(move || {
            let data: Pointer<[u64; 4]> = receiver.recv().unwrap();
            // SAFETY: none, see above.
            black_box(unsafe { (*data.get())[1] }); //~ data_race
        });
    });
}
