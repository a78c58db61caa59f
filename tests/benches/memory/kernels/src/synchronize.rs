//! Kernels that synchronize.

use std::cell::UnsafeCell;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{channel, sync_channel};
use std::thread;

use crate::{Random, THREADS};

/// Hash maps under sixteen locks.
pub fn map(scale: usize) -> u64 {
    let shards: Vec<Mutex<HashMap<u64, u64>>> = (0..16).map(|_| Mutex::default()).collect();
    thread::scope(|scope| {
        for index in 0..THREADS as u64 {
            let shards = &shards;
            scope.spawn(move || {
                let mut random = Random(0x9E37 + index);
                for _ in 0..scale * 400_000 {
                    let key = random.next() % 20_000;
                    let mut shard = shards[(key % 16) as usize].lock().expect("nobody panics");
                    if key % 3 == 0 {
                        *shard.entry(key).or_insert(0) += 1;
                    } else if let Some(value) = shard.get_mut(&key) {
                        *value ^= 1;
                    }
                }
            });
        }
    });
    shards.iter().map(|shard| shard.lock().expect("nobody panics").values().sum::<u64>()).sum()
}

/// A lock for each thread, which nobody else wants.
pub fn mutex(scale: usize) -> u64 {
    #[repr(align(128))]
    struct Apart(Mutex<u64>);
    let locks: Vec<Apart> = (0..THREADS).map(|_| Apart(Mutex::new(0))).collect();
    thread::scope(|scope| {
        for lock in &locks {
            scope.spawn(move || {
                for _ in 0..scale * 2_000_000 {
                    *lock.0.lock().expect("nobody panics") += 1;
                }
            });
        }
    });
    locks.iter().map(|lock| *lock.0.lock().expect("nobody panics")).sum()
}

/// One message that goes back and forth.
pub fn ping_pong(scale: usize) -> u64 {
    let (there, from_there) = channel();
    let (back, from_back) = channel();
    thread::scope(|scope| {
        scope.spawn(move || {
            for value in from_there {
                let _ = back.send(value + 1_u64);
            }
        });
        let mut value = 0;
        for _ in 0..scale * 10_000 {
            there.send(value).expect("the other side lives");
            value = from_back.recv().expect("the other side lives");
        }
        drop(there);
        value
    })
}

/// Vectors that stream through a bounded channel, and what came of them back through another.
pub fn pipeline(scale: usize) -> u64 {
    let (there, from_there) = sync_channel::<Vec<u64>>(256);
    let (back, from_back) = channel();
    thread::scope(|scope| {
        scope.spawn(move || {
            for numbers in from_there {
                let mix = |sum: u64, number: &u64| sum.rotate_left(5) ^ number.wrapping_mul(0x9E37_79B9);
                let _ = back.send(numbers.iter().fold(0, mix));
            }
        });
        let mut random = Random(7);
        let mut result = 0;
        for round in 0..scale * 60_000 {
            there.send((0..64).map(|_| random.next()).collect()).expect("the other side lives");
            if round % 4 == 0 {
                result ^= from_back.try_iter().fold(0, |sum, value| sum ^ value);
            }
        }
        drop(there);
        from_back.iter().fold(result, |sum, value| sum ^ value)
    })
}

/// Vyukov's bounded queue for many producers and consumers.
struct Queue {
    places: Vec<(AtomicUsize, UnsafeCell<u64>)>,
    head: AtomicUsize,
    tail: AtomicUsize,
}

// SAFETY: a place is only touched by the thread whose turn its number says it is.
unsafe impl Sync for Queue {}

impl Queue {
    fn new(room: usize) -> Queue {
        let places = (0..room).map(|number| (AtomicUsize::new(number), UnsafeCell::new(0))).collect();
        Queue { places, head: AtomicUsize::new(0), tail: AtomicUsize::new(0) }
    }

    /// Takes the next place of `end` that is `turns` turns on.
    fn claim(&self, end: &AtomicUsize, turns: usize) -> Option<usize> {
        let mut at = end.load(Ordering::Relaxed);
        loop {
            let turn = self.places[at % self.places.len()].0.load(Ordering::Acquire);
            if turn < at + turns {
                return None;
            }
            if turn > at + turns {
                at = end.load(Ordering::Relaxed);
                continue;
            }
            match end.compare_exchange_weak(at, at + 1, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some(at),
                Err(seen) => at = seen,
            }
        }
    }

    fn push(&self, value: u64) -> bool {
        let Some(at) = self.claim(&self.tail, 0) else { return false };
        let place = &self.places[at % self.places.len()];
        // SAFETY: claimed, and consumers wait for the number.
        unsafe { *place.1.get() = value };
        place.0.store(at + 1, Ordering::Release);
        true
    }

    fn pop(&self) -> Option<u64> {
        let at = self.claim(&self.head, 1)?;
        let place = &self.places[at % self.places.len()];
        // SAFETY: claimed, and producers wait for the number.
        let value = unsafe { *place.1.get() };
        place.0.store(at + self.places.len(), Ordering::Release);
        Some(value)
    }
}

/// Threads that put into a queue of atomics and take out of it.
pub fn queue(scale: usize) -> u64 {
    let queue = Queue::new(64);
    let work = |seed: u64| {
        let mut sum = 0;
        for value in 0..scale as u64 * 500_000 {
            while !queue.push(value ^ seed) {
                thread::yield_now();
            }
            loop {
                if let Some(value) = queue.pop() {
                    sum ^= value;
                    break;
                }
                thread::yield_now();
            }
        }
        sum
    };
    thread::scope(|scope| {
        let threads = [1, 2].map(|seed| scope.spawn(move || work(seed)));
        threads.into_iter().fold(0, |sum, thread| sum ^ thread.join().expect("nobody panics"))
    })
}
