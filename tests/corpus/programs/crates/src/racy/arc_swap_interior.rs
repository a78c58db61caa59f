//! Races: what an `ArcSwap` holds is replaced in order, and here written in place instead.

use std::sync::{Arc, Barrier};
use std::thread;

use arc_swap::ArcSwap;
use shared::Shared;

pub fn main() {
    let current = ArcSwap::new(Arc::new(Shared::new(0_u64)));
    let both = Barrier::new(2);
    let write = || {
        let seen = current.load_full();
        // What the crate does for a thread that ends must not come between.
        both.wait();
        // SAFETY: none, the other thread does it too.
        unsafe { *seen.get() += 1 }; //~ data_race
        std::mem::forget(seen);
    };
    thread::scope(|scope| {
        scope.spawn(write);
        scope.spawn(write);
    });
}
