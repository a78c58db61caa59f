//! Correct: a reference count of one's own whose decrement is a release, with an acquire fence before
//! the last one frees.

use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::thread;

use shared::{Pointer, Shared};

struct Counted {
    owners: AtomicUsize,
    slots: [Shared<u64>; 2],
}

fn release(counted: Pointer<Counted>) {
    // SAFETY: this thread still owns a share.
    let owners = unsafe { &(*counted.get()).owners };
    if owners.fetch_sub(1, Ordering::Release) == 1 {
        fence(Ordering::Acquire);
        // SAFETY: nobody else has it any more.
        let counted = unsafe { Box::from_raw(counted.get()) };
        let [one, other] = counted.slots;
        // SAFETY: as above.
        assert_eq!(unsafe { *one.get() + *other.get() }, 2);
    }
}

pub fn main() {
    for _ in 0..50 {
        let counted = Counted { owners: AtomicUsize::new(2), slots: Default::default() };
        let counted = Pointer(Box::into_raw(Box::new(counted)));
        thread::scope(|scope| {
            for index in 0..2 {
                scope.spawn(move || {
                    // SAFETY: each thread has a slot and a share of its own.
                    unsafe { *(&(*counted.get()).slots)[index].get() += 1 };
                    release(counted);
                });
            }
        });
    }
}
