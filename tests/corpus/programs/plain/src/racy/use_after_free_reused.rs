//! Races: a thread writes into a block that another has freed, after the owner has allocated blocks of
//! the same size.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use shared::{Pointer, wait_until};

static FREED: AtomicBool = AtomicBool::new(false);

pub fn main() {
    let data = Pointer(Box::into_raw(Box::new([1_u64; 4])));
    thread::scope(|scope| {
        scope.spawn(move || {
            // SAFETY: none, the other thread still writes it.
            drop(unsafe { Box::from_raw(data.get()) }); //~ data_race
            let others: Vec<_> = (0..3).map(|value| Box::new([value; 4])).collect();
            FREED.store(true, Ordering::Relaxed);
            std::mem::forget(others);
        });
        scope.spawn(move || {
            wait_until(|| FREED.load(Ordering::Relaxed));
            // SAFETY: none, it is freed, and may be somebody else's.
            unsafe { (&raw mut (*data.get())[1]).write(5) }; //~ data_race
        });
    });
}
