//! Dekker's lock for two threads.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::cell::Shared;

#[derive(Default)]
struct Dekker {
    wants: [AtomicBool; 2],
    turn: AtomicUsize,
    count: Shared<usize>,
}

impl Dekker {
    fn enter(&self, me: usize, order: Ordering) {
        self.wants[me].store(true, order);
        while self.wants[1 - me].load(Ordering::SeqCst) {
            if self.turn.load(Ordering::Relaxed) != me {
                self.wants[me].store(false, Ordering::Relaxed);
                while self.turn.load(Ordering::Relaxed) != me {
                    thread::yield_now();
                }
                self.wants[me].store(true, order);
            } else {
                thread::yield_now();
            }
        }
    }

    fn leave(&self, me: usize) {
        self.turn.store(1 - me, Ordering::Relaxed);
        self.wants[me].store(false, Ordering::Release);
    }
}

fn both_count(order: Ordering) {
    let lock = Dekker::default();
    let count = |me| {
        lock.enter(me, order);
        lock.count.set(lock.count.get() + 1);
        lock.leave(me);
    };
    thread::scope(|scope| {
        scope.spawn(|| count(0));
        count(1);
    });
    assert_eq!(lock.count.get(), 2);
}

#[test]
fn dekker() {
    both_count(Ordering::SeqCst);
}

#[test]
fn dekker_weak() {
    both_count(Ordering::Release);
}
