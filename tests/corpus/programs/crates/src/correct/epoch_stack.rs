//! Correct: a stack with memory reclaimed by crossbeam-epoch: what is popped is destroyed when nobody
//! can look at it any more.

use std::sync::atomic::Ordering;
use std::thread;

use crossbeam_epoch::{Atomic, Owned, pin};

struct Node {
    value: u64,
    next: Atomic<Node>,
}

#[derive(Default)]
struct Stack {
    head: Atomic<Node>,
}

impl Stack {
    fn push(&self, value: u64) {
        let guard = pin();
        let mut node = Owned::new(Node { value, next: Atomic::null() });
        loop {
            let head = self.head.load(Ordering::Relaxed, &guard);
            node.next.store(head, Ordering::Relaxed);
            match self.head.compare_exchange(head, node, Ordering::Release, Ordering::Relaxed, &guard) {
                Ok(_) => return,
                Err(failed) => node = failed.new,
            }
        }
    }

    fn pop(&self) -> Option<u64> {
        let guard = pin();
        loop {
            let head = self.head.load(Ordering::Acquire, &guard);
            // SAFETY: not destroyed as long as the guard is there.
            let node = unsafe { head.as_ref() }?;
            let next = node.next.load(Ordering::Relaxed, &guard);
            let taken = self.head.compare_exchange(head, next, Ordering::Relaxed, Ordering::Relaxed, &guard);
            if taken.is_ok() {
                // SAFETY: taken out once.
                unsafe { guard.defer_destroy(head) };
                return Some(node.value);
            }
        }
    }
}

pub fn main() {
    let stack = Stack::default();
    let sum: u64 = thread::scope(|scope| {
        let threads = [0_u64, 1, 2].map(|start| {
            let stack = &stack;
            scope.spawn(move || {
                let mut sum = 0;
                for value in 0..300 {
                    stack.push(start * 300 + value);
                    if value % 2 == 0 {
                        sum += stack.pop().unwrap_or(0);
                    }
                }
                pin().flush();
                sum
            })
        });
        threads.map(|thread| thread.join().unwrap()).iter().sum()
    });
    let rest: u64 = std::iter::from_fn(|| stack.pop()).sum();
    assert_eq!(sum + rest, (0..900).sum());
}
