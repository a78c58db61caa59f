//! Correct: one thread asks which variant an enum is, another changes what the variant holds. Tag and
//! payload are as wide as a register, so without optimisation the compiler loads both to ask for one.

use std::cell::UnsafeCell;
use std::thread;

enum Slot {
    #[allow(dead_code)]
    Empty,
    Full(UnsafeCell<u64>),
}

// SAFETY: one thread writes the payload, the other one reads the tag alone, which nobody writes.
unsafe impl Sync for Slot {}

static SLOT: Slot = Slot::Full(UnsafeCell::new(0));

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(|| {
            if let Slot::Full(value) = &SLOT {
                for round in 0..100 {
                    // SAFETY: see above.
                    unsafe { *value.get() = round };
                }
            }
        });
        for _ in 0..100 {
            if let Slot::Empty = SLOT {
                unreachable!("nobody empties it");
            }
        }
    });
}
