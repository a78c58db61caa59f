//! A ring for one sender and one receiver.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::cell::Shared;

const ROOM: usize = 2;

#[derive(Default)]
struct Ring {
    slots: [Shared<u32>; ROOM],
    head: AtomicUsize,
    tail: AtomicUsize,
}

impl Ring {
    fn send(&self, value: u32, publish: Ordering) -> bool {
        let tail = self.tail.load(Ordering::Relaxed);
        if tail - self.head.load(Ordering::Acquire) == ROOM {
            return false;
        }
        self.slots[tail % ROOM].set(value);
        self.tail.store(tail + 1, publish);
        true
    }

    fn receive(&self) -> Option<u32> {
        let head = self.head.load(Ordering::Relaxed);
        if head == self.tail.load(Ordering::Acquire) {
            return None;
        }
        let value = self.slots[head % ROOM].get();
        self.head.store(head + 1, Ordering::Release);
        Some(value)
    }
}

fn three_pass(publish: Ordering) {
    let ring = Ring::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            for value in 1..=3 {
                while !ring.send(value, publish) {
                    thread::yield_now();
                }
            }
        });
        for expected in 1..=3 {
            let value = loop {
                match ring.receive() {
                    Some(value) => break value,
                    None => thread::yield_now(),
                }
            };
            assert_eq!(value, expected);
        }
    });
}

#[test]
fn ring() {
    three_pass(Ordering::Release);
}

#[test]
fn ring_weak() {
    three_pass(Ordering::Relaxed);
}
