//! Peterson's lock for two threads, as Williams has shown that it needs no fence: the turn is given away by
//! a read-modify-write.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::cell::Shared;

#[derive(Default)]
struct Peterson {
    wants: [AtomicBool; 2],
    turn: AtomicUsize,
    count: Shared<usize>,
}

impl Peterson {
    fn enter(&self, me: usize, order: Ordering) {
        self.wants[me].store(true, Ordering::Relaxed);
        self.turn.swap(1 - me, order);
        while self.wants[1 - me].load(Ordering::Acquire) && self.turn.load(Ordering::Acquire) == 1 - me {
            thread::yield_now();
        }
    }

    fn leave(&self, me: usize) {
        self.wants[me].store(false, Ordering::Release);
    }
}

fn both_count(order: Ordering) {
    let lock = Peterson::default();
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
fn peterson() {
    both_count(Ordering::AcqRel);
}

#[test]
fn peterson_weak() {
    both_count(Ordering::Release);
}
