//! Treiber's stack, whose nodes are never freed.

use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::thread;

struct Node {
    value: u32,
    next: *mut Node,
}

#[derive(Default)]
struct Stack {
    head: AtomicPtr<Node>,
}

impl Stack {
    fn push(&self, value: u32, publish: Ordering) {
        let node = Box::into_raw(Box::new(Node { value, next: null_mut() }));
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            // SAFETY: nobody else knows of the node yet.
            unsafe { (*node).next = head };
            match self.head.compare_exchange(head, node, publish, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    fn pop(&self) -> Option<u32> {
        let mut head = self.head.load(Ordering::Acquire);
        loop {
            // SAFETY: nodes are never freed.
            let node = unsafe { head.as_ref()? };
            match self.head.compare_exchange(head, node.next, Ordering::Acquire, Ordering::Acquire) {
                Ok(_) => return Some(node.value),
                Err(now) => head = now,
            }
        }
    }
}

fn push_and_pop(publish: Ordering) {
    let stack = Stack::default();
    let popped = thread::scope(|scope| {
        scope.spawn(|| stack.push(1, publish));
        stack.push(2, publish);
        stack.pop()
    });
    let rest = stack.pop();
    assert_eq!(popped.unwrap_or(0) + rest.unwrap_or(0), 3);
}

#[test]
fn treiber() {
    push_and_pop(Ordering::Release);
}

#[test]
fn treiber_weak() {
    push_and_pop(Ordering::Relaxed);
}
