//! Correct: a queue under a lock with a condition variable; what comes out of it belongs to the taker.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex};
use std::thread;

use shared::Pointer;

static QUEUE: Mutex<VecDeque<Option<Pointer<u64>>>> = Mutex::new(VecDeque::new());
static FILLED: Condvar = Condvar::new();

fn put(item: Option<Pointer<u64>>) {
    QUEUE.lock().unwrap().push_back(item);
    FILLED.notify_one();
}

fn take() -> Option<Pointer<u64>> {
    let empty = |queue: &mut VecDeque<_>| queue.is_empty();
    let mut queue = FILLED.wait_while(QUEUE.lock().unwrap(), empty).unwrap();
    queue.pop_front().unwrap()
}

pub fn main() {
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(item) = take() {
                    // SAFETY: whoever takes it owns it.
                    drop(unsafe { Box::from_raw(item.get()) });
                }
            });
        }
        for value in 0..200 {
            put(Some(Pointer(Box::into_raw(Box::new(value)))));
        }
        put(None);
        put(None);
    });
}
