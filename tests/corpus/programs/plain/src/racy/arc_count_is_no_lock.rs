//! Races: `Arc::strong_count` says that the other share is gone, and orders nothing.

use std::hint::black_box;
use std::sync::Arc;
use std::thread;

use shared::{Shared, wait_until};

pub fn main() {
    let data = Arc::new(Shared::new(1_u64));
    let other = Arc::clone(&data);
    thread::spawn(move || {
        // SAFETY: none, the reader is not ordered after this.
        unsafe { *other.get() += 1 }; //~ data_race
    });
    wait_until(|| Arc::strong_count(&data) == 1);
    // SAFETY: none, see above.
    black_box(unsafe { *data.get() }); //~ data_race
}
