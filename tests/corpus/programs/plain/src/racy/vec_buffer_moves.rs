//! Races: a vector's buffer moves when it grows, while another thread reads the old one.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use shared::{Pointer, wait_until};

static GROWN: AtomicBool = AtomicBool::new(false);

pub fn main() {
    let mut list = vec![1_u64; 4];
    // Keeps the buffer from growing where it is.
    let neighbours = [vec![0_u64; 4], vec![0_u64; 4]];
    let first = Pointer(list.as_mut_ptr());
    thread::scope(|scope| {
        scope.spawn(move || {
            wait_until(|| GROWN.load(Ordering::Relaxed));
            // SAFETY: none, the buffer was given back.
            black_box(unsafe { *first.get() }); //~ data_race
        });
        list.reserve_exact(10_000); //~ data_race
        GROWN.store(true, Ordering::Relaxed);
    });
    assert_eq!(list.len() + neighbours.len(), 6);
}
