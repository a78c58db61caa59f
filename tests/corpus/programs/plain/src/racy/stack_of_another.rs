//! Races: a thread is given a pointer to a local of another and both write it.

use std::thread;

use shared::Pointer;

pub fn main() {
    let mut local = [0_u32; 3];
    let pointer = Pointer(&raw mut local);
    let thread = thread::spawn(move || {
        // SAFETY: none, its owner writes too.
        unsafe { (*pointer.get())[2] += 1 }; //~ data_race
    });
    // SAFETY: none, see above.
    unsafe { (*pointer.get())[2] += 1 }; //~ data_race
    thread.join().unwrap();
}
