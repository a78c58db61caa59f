//! Correct: a thread gets a pointer to a local of another, which waits for it before it looks.

use std::thread;

use shared::Pointer;

fn fill() -> u64 {
    let mut local = [0_u64; 32];
    let pointer = Pointer(&raw mut local);
    let thread = thread::spawn(move || {
        // SAFETY: the owner waits.
        unsafe { (*pointer.get()).iter_mut().for_each(|value| *value += 1) };
    });
    thread.join().unwrap();
    local.iter().sum()
}

pub fn main() {
    assert_eq!((0..20).map(|_| fill()).sum::<u64>(), 640);
}
