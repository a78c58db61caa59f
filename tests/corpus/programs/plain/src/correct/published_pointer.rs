//! Correct: nodes published through an `AtomicPtr`, in a stack and in a ring of two threads.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::thread;

use shared::{Shared, wait_until};

struct Node {
    value: u64,
    next: *mut Node,
}

static HEAD: AtomicPtr<Node> = AtomicPtr::new(ptr::null_mut());

fn push(value: u64) {
    let node = Box::into_raw(Box::new(Node { value, next: ptr::null_mut() }));
    let mut head = HEAD.load(Ordering::Relaxed);
    loop {
        // SAFETY: not yet published.
        unsafe { (*node).next = head };
        match HEAD.compare_exchange_weak(head, node, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => return,
            Err(seen) => head = seen,
        }
    }
}

fn take_all() -> u64 {
    let mut node = HEAD.swap(ptr::null_mut(), Ordering::Acquire);
    let mut sum = 0;
    while !node.is_null() {
        // SAFETY: taken out, so it is this thread's.
        let taken = unsafe { Box::from_raw(node) };
        sum += taken.value;
        node = taken.next;
    }
    sum
}

const ROOM: usize = 4;
static RING: [Shared<u64>; ROOM] = [const { Shared::new(0) }; ROOM];
static WRITTEN: AtomicUsize = AtomicUsize::new(0);
static READ: AtomicUsize = AtomicUsize::new(0);

fn send(value: u64) {
    let at = WRITTEN.load(Ordering::Relaxed);
    wait_until(|| at - READ.load(Ordering::Acquire) < ROOM);
    // SAFETY: the reader has given it back.
    unsafe { *RING[at % ROOM].get() = value };
    WRITTEN.store(at + 1, Ordering::Release);
}

fn receive() -> u64 {
    let at = READ.load(Ordering::Relaxed);
    wait_until(|| WRITTEN.load(Ordering::Acquire) > at);
    // SAFETY: the writer has published it.
    let value = unsafe { *RING[at % ROOM].get() };
    READ.store(at + 1, Ordering::Release);
    value
}

pub fn main() {
    let sum = AtomicUsize::new(0);
    let add = |value: u64| {
        sum.fetch_add(value as usize, Ordering::Relaxed);
    };
    thread::scope(|scope| {
        scope.spawn(|| (0..100).for_each(push));
        scope.spawn(|| (0..100).for_each(push));
        scope.spawn(|| (0..50).for_each(|_| add(take_all())));
        scope.spawn(|| (0..200).for_each(send));
        scope.spawn(|| assert_eq!((0..200).map(|_| receive()).sum::<u64>(), 199 * 100));
    });
    add(take_all());
    assert_eq!(sum.into_inner(), 2 * 99 * 50);
}
