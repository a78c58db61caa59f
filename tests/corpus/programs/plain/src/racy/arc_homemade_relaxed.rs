//! Races: a reference count of one's own that is decremented relaxed: the last one reads
//! what the other may still be writing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use shared::{Pointer, Shared};

struct Counted {
    owners: AtomicUsize,
    slots: [Shared<u64>; 2],
}

fn release(counted: Pointer<Counted>) -> u64 {
    // SAFETY: this thread still owns a share.
    let owners = unsafe { &(*counted.get()).owners };
    if owners.fetch_sub(1, Ordering::Relaxed) != 1 {
        return 0;
    }
    // SAFETY: none, the other one's write is not ordered before this.
    let slots = unsafe { &(*counted.get()).slots };
    // SAFETY: none, see above.
    unsafe { *slots[0].get() + *slots[1].get() } //~ data_race
}

pub fn main() {
    let counted = Counted { owners: AtomicUsize::new(2), slots: Default::default() };
    let counted = Pointer(Box::into_raw(Box::new(counted)));
    thread::scope(|scope| {
        for index in 0..2 {
            scope.spawn(move || {
                // SAFETY: none, the last owner's read is not ordered after this.
                unsafe { *(&(*counted.get()).slots)[index].get() = 1 }; //~ data_race
                release(counted)
            });
        }
    });
}
