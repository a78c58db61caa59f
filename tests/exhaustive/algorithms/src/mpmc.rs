//! A bounded queue for many senders and receivers, after Vyukov.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::cell::Shared;

const ROOM: usize = 2;

struct Slot {
    turn: AtomicUsize,
    value: Shared<u32>,
}

struct Queue {
    slots: [Slot; ROOM],
    head: AtomicUsize,
    tail: AtomicUsize,
}

impl Queue {
    fn new() -> Queue {
        let slot = |turn| Slot { turn: AtomicUsize::new(turn), value: Shared::new(0) };
        Queue { slots: [slot(0), slot(1)], head: AtomicUsize::new(0), tail: AtomicUsize::new(0) }
    }

    fn send(&self, value: u32, publish: Ordering) -> bool {
        let mut at = self.tail.load(Ordering::Relaxed);
        loop {
            let slot = &self.slots[at % ROOM];
            let turn = slot.turn.load(Ordering::Acquire);
            if turn < at {
                return false;
            }
            if turn > at {
                at = self.tail.load(Ordering::Relaxed);
                continue;
            }
            match self.tail.compare_exchange(at, at + 1, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => {
                    slot.value.set(value);
                    slot.turn.store(at + 1, publish);
                    return true;
                }
                Err(now) => at = now,
            }
        }
    }

    fn receive(&self) -> Option<u32> {
        let mut at = self.head.load(Ordering::Relaxed);
        loop {
            let slot = &self.slots[at % ROOM];
            let turn = slot.turn.load(Ordering::Acquire);
            if turn < at + 1 {
                return None;
            }
            if turn > at + 1 {
                at = self.head.load(Ordering::Relaxed);
                continue;
            }
            match self.head.compare_exchange(at, at + 1, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => {
                    let value = slot.value.get();
                    slot.turn.store(at + ROOM, Ordering::Release);
                    return Some(value);
                }
                Err(now) => at = now,
            }
        }
    }
}

fn two_send_one_receives(publish: Ordering) {
    let queue = Queue::new();
    let early = thread::scope(|scope| {
        scope.spawn(|| assert!(queue.send(1, publish)));
        assert!(queue.send(2, publish));
        queue.receive().unwrap_or(0)
    });
    let late: u32 = std::iter::from_fn(|| queue.receive()).sum();
    assert_eq!(early + late, 3);
}

#[test]
fn mpmc() {
    two_send_one_receives(Ordering::Release);
}

#[test]
fn mpmc_weak() {
    two_send_one_receives(Ordering::Relaxed);
}
