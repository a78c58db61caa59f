//! Correct: a spin lock with acquire and release, one with `compare_exchange_weak`, and a ticket lock.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use shared::{Shared, wait_until};

static LOCKED: AtomicBool = AtomicBool::new(false);
static STATE: AtomicUsize = AtomicUsize::new(0);
static NEXT: AtomicUsize = AtomicUsize::new(0);
static SERVED: AtomicUsize = AtomicUsize::new(0);
static DATA: [Shared<u64>; 3] = [const { Shared::new(0) }; 3];

fn increment(index: usize) {
    // SAFETY: each has a lock of its own, which is held.
    unsafe { *DATA[index].get() += 1 };
}

fn all() {
    wait_until(|| !LOCKED.swap(true, Ordering::Acquire));
    increment(0);
    LOCKED.store(false, Ordering::Release);

    let enter = || STATE.compare_exchange_weak(0, 1, Ordering::Acquire, Ordering::Relaxed);
    wait_until(|| enter().is_ok());
    increment(1);
    STATE.fetch_sub(1, Ordering::Release);

    let ticket = NEXT.fetch_add(1, Ordering::Relaxed);
    wait_until(|| SERVED.load(Ordering::Acquire) == ticket);
    increment(2);
    SERVED.store(ticket + 1, Ordering::Release);
}

pub fn main() {
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| (0..50).for_each(|_| all()));
        }
    });
    // SAFETY: the threads have ended.
    assert!(DATA.iter().all(|data| unsafe { *data.get() } == 150));
}
