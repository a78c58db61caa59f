//! Correct: boxes through crossbeam's channels, queues and work-stealing deques.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crossbeam_channel::{bounded, select, unbounded};
use crossbeam_deque::{Steal, Worker};
use crossbeam_queue::{ArrayQueue, SegQueue};

fn channels() {
    let (one, from_one) = bounded::<Box<u64>>(3);
    let (other, from_other) = unbounded::<Box<u64>>();
    thread::scope(|scope| {
        scope.spawn(move || (0..100).for_each(|value| one.send(Box::new(value)).unwrap()));
        scope.spawn(move || (0..100).for_each(|value| other.send(Box::new(value)).unwrap()));
        for _ in 0..2 {
            let (from_one, from_other) = (from_one.clone(), from_other.clone());
            scope.spawn(move || {
                let mut sum = 0;
                loop {
                    let message = select! { recv(from_one) -> m => m, recv(from_other) -> m => m };
                    let Ok(value) = message else { break };
                    sum += *value;
                }
                sum + from_one.iter().chain(from_other.iter()).map(|value| *value).sum::<u64>()
            });
        }
    });
}

fn queues() {
    let (bounded, unbounded) = (ArrayQueue::<Box<u64>>::new(8), SegQueue::<Box<u64>>::new());
    let sum = AtomicU64::new(0);
    let add = |value: Box<u64>| {
        sum.fetch_add(*value, Ordering::Relaxed);
    };
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for value in 0..100 {
                    let mut item = Box::new(value);
                    while let Err(back) = bounded.push(item) {
                        item = back;
                        thread::yield_now();
                    }
                    unbounded.push(Box::new(value));
                }
            });
            scope.spawn(|| {
                for _ in 0..100 {
                    loop {
                        match bounded.pop() {
                            Some(value) => break add(value),
                            None => thread::yield_now(),
                        }
                    }
                    if let Some(value) = unbounded.pop() {
                        add(value);
                    }
                }
            });
        }
    });
    std::iter::from_fn(|| unbounded.pop()).for_each(add);
    assert_eq!(sum.into_inner(), 4 * 4950);
}

fn deques() {
    let worker = Worker::<Box<u64>>::new_lifo();
    let stealer = worker.stealer();
    let taken = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while taken.load(Ordering::Relaxed) < 20 {
                    if let Steal::Success(_) = stealer.steal() {
                        taken.fetch_add(1, Ordering::Relaxed);
                    }
                    thread::yield_now();
                }
            });
        }
        (0..30).for_each(|value| worker.push(Box::new(value)));
        while taken.load(Ordering::Relaxed) < 20 {
            if worker.pop().is_some() {
                taken.fetch_add(1, Ordering::Relaxed);
            }
            thread::yield_now();
        }
    });
}

pub fn main() {
    channels();
    queues();
    deques();
}
