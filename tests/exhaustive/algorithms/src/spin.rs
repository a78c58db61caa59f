//! A spin lock.

use std::sync::atomic::{AtomicBool, Ordering};
use std::{hint, thread};

use crate::cell::Shared;

fn both_count(unlock: Ordering) {
    let (locked, count) = (AtomicBool::new(false), Shared::new(0));
    let add = || {
        while locked.compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
            hint::spin_loop();
        }
        count.set(count.get() + 1);
        locked.store(false, unlock);
    };
    thread::scope(|scope| {
        scope.spawn(add);
        add();
    });
    assert_eq!(count.get(), 2);
}

#[test]
fn spin() {
    both_count(Ordering::Release);
}

#[test]
fn spin_weak() {
    both_count(Ordering::Relaxed);
}
