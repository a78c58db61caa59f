//! How cost grows: with threads that share one amount of work, with threads that live at the same time,
//! with threads that come and go, with accesses.

use std::sync::{Barrier, Mutex};
use std::thread;

const STACK: usize = 64 << 10;

/// Reads and writes a thread's own memory, and takes the lock now and then.
fn work(accesses: usize, lock: &Mutex<u64>) -> u64 {
    let mut own = vec![1_u64; 256];
    let mut sum = 0;
    for round in 0..accesses / 512 {
        for value in &mut own {
            *value = value.wrapping_mul(3) + 1;
        }
        sum += own[round % 256];
        if round % 16 == 0 {
            *lock.lock().expect("nobody panics") += 1;
        }
    }
    sum
}

fn spawn<'scope>(scope: &'scope thread::Scope<'scope, '_>, body: impl FnOnce() -> u64 + Send + 'scope) {
    let builder = thread::Builder::new().stack_size(STACK);
    builder.spawn_scoped(scope, body).expect("a thread starts");
}

/// `threads` threads for the same 40 million accesses.
pub fn split(threads: usize) -> u64 {
    let lock = Mutex::new(0);
    thread::scope(|scope| {
        for _ in 0..threads {
            spawn(scope, || work(40_000_000 / threads, &lock));
        }
    });
    lock.into_inner().expect("nobody panics")
}

/// `threads` threads that are all there before one goes on, with 20,000 accesses and a lock each.
pub fn live(threads: usize) -> u64 {
    let (lock, all) = (Mutex::new(0), Barrier::new(threads));
    thread::scope(|scope| {
        for _ in 0..threads {
            spawn(scope, || {
                all.wait();
                let sum = work(20_000, &lock);
                all.wait();
                sum
            });
        }
    });
    lock.into_inner().expect("nobody panics")
}

/// `threads` threads, four at a time, with 2,000 accesses and a lock each.
pub fn turns(threads: usize) -> u64 {
    let lock = Mutex::new(0);
    for _ in 0..threads / 4 {
        thread::scope(|scope| {
            for _ in 0..4 {
                spawn(scope, || work(2_000, &lock));
            }
        });
    }
    lock.into_inner().expect("nobody panics")
}

/// `millions` of accesses by two threads.
pub fn accesses(millions: usize) -> u64 {
    let lock = Mutex::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            spawn(scope, || work(millions * 500_000, &lock));
        }
    });
    lock.into_inner().expect("nobody panics")
}
