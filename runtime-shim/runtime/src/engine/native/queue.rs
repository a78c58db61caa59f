//! Threads that queue at an address: a static table of lists whose nodes lie on the threads' stacks.
//!
//! Invariants:
//! * A node is linked, unlinked and its cells touched only under its bucket's lock; an unlinked
//!   node belongs to whoever unlinked it until [`Node::wake`].
//! * A node stays where it is while it is linked or not yet woken: its thread waits for that.
//! * Nodes of one key are in order of arrival.

use super::futex::{self, Deadline};
use super::mutex::RawMutex;
use core::cell::{Cell, UnsafeCell};
use core::ptr;
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{Acquire, Release};

/// One thread at one address.
#[derive(Debug)]
pub struct Node {
    key: Cell<usize>,
    next: Cell<*const Node>,
    previous: Cell<*const Node>,
    note: Cell<u64>,
    woken: AtomicU32,
}

impl Node {
    /// A node for the address `key`, not in any list.
    #[must_use]
    pub const fn new(key: usize) -> Node {
        Node {
            key: Cell::new(key),
            next: Cell::new(ptr::null()),
            previous: Cell::new(ptr::null()),
            note: Cell::new(0),
            woken: AtomicU32::new(0),
        }
    }

    /// The address it queues at.
    #[must_use]
    pub fn key(&self) -> usize {
        self.key.get()
    }

    /// Has it queue at another address; only while it is in no list.
    pub fn move_to(&self, key: usize) {
        self.key.set(key);
    }

    /// What was noted by [`List::push`], [`List::take`] or not at all (0). Only under the bucket's
    /// lock, or after the node was woken.
    #[must_use]
    pub fn note(&self) -> u64 {
        self.note.get()
    }

    /// Sleeps until [`Node::wake`]; false if the deadline came first.
    pub fn sleep(&self, deadline: Option<&Deadline>) -> bool {
        while self.woken.load(Acquire) == 0 {
            if !futex::wait(&self.woken, 0, futex::ANY, deadline) {
                return self.woken.load(Acquire) != 0;
            }
        }
        true
    }

    /// Lets the thread of an unlinked node go on; the node is gone afterwards.
    ///
    /// # Safety
    /// `node` was taken out of its list by the caller and not yet woken.
    pub unsafe fn wake(node: *const Node) {
        // SAFETY: the caller's promise; the thread waits for this store.
        let woken = unsafe { &raw const (*node).woken };
        // SAFETY: as above, until the store.
        unsafe { (*woken).store(1, Release) };
        futex::wake(woken.addr(), 1, futex::ANY);
    }
}

/// The nodes of one bucket, locked.
#[derive(Debug)]
pub struct List {
    first: *const Node,
    last: *const Node,
}

impl List {
    const EMPTY: List = List { first: ptr::null(), last: ptr::null() };

    /// The nodes of `key`, in order of arrival.
    pub fn of(&self, key: usize) -> impl Iterator<Item = &Node> {
        // SAFETY: linked nodes are alive and do not change while the bucket is locked.
        let first = unsafe { self.first.as_ref() };
        // SAFETY: as above.
        core::iter::successors(first, |node| unsafe { node.next.get().as_ref() })
            .filter(move |node| node.key() == key)
    }

    /// Appends a node, with a note.
    ///
    /// # Safety
    /// The node is not linked, and stays in place until it is unlinked.
    pub unsafe fn push(&mut self, node: &Node, note: u64) {
        node.note.set(note);
        node.next.set(ptr::null());
        node.previous.set(self.last);
        // SAFETY: linked nodes are alive.
        match unsafe { self.last.as_ref() } {
            Some(last) => last.next.set(node),
            None => self.first = node,
        }
        self.last = node;
    }

    /// Unlinks a node; false if it is not in this list (any more: it may have been taken, or the
    /// list reset).
    pub fn remove(&mut self, node: &Node) -> bool {
        if !self.of(node.key()).any(|linked| ptr::eq(linked, node)) {
            return false;
        }
        let (next, previous) = (node.next.get(), node.previous.get());
        // SAFETY: neighbours of a linked node are linked, so alive.
        match unsafe { previous.as_ref() } {
            Some(previous) => previous.next.set(next),
            None => self.first = next,
        }
        // SAFETY: as above.
        match unsafe { next.as_ref() } {
            Some(next) => next.previous.set(previous),
            None => self.last = previous,
        }
        node.next.set(ptr::null());
        true
    }

    /// Unlinks the first `most` nodes of `key`, leaving each the note, to be woken by the caller.
    pub fn take(&mut self, key: usize, most: usize, note: u64) -> Taken {
        let mut taken = List::EMPTY;
        for _ in 0..most {
            let Some(node) = self.of(key).next().map(ptr::from_ref) else { break };
            // SAFETY: found in the list, so alive, and its thread waits for our wake.
            let node = unsafe { &*node };
            self.remove(node);
            // SAFETY: just unlinked; ours until woken.
            unsafe { taken.push(node, note) };
        }
        Taken(taken.first)
    }
}

/// Nodes that were taken out and are to be woken.
#[must_use = "the threads of these nodes sleep until they are woken"]
#[derive(Debug)]
pub struct Taken(*const Node);

impl Taken {
    /// Wakes them all.
    pub fn wake(self) {
        let mut node = self.0;
        while !node.is_null() {
            // SAFETY: ours until woken, and not touched after.
            let next = unsafe { (*node).next.get() };
            // SAFETY: taken by `List::take` and woken once.
            unsafe { Node::wake(node) };
            node = next;
        }
    }
}

#[derive(Debug)]
#[repr(align(64))]
struct Bucket {
    lock: RawMutex,
    list: UnsafeCell<List>,
}

/// Number of buckets of a table.
const BUCKETS: usize = 128;

/// Lists by address.
#[derive(Debug)]
pub struct Table {
    buckets: [Bucket; BUCKETS],
}

// SAFETY: a bucket's list is only touched under its lock.
unsafe impl Sync for Table {}

impl Default for Table {
    fn default() -> Table {
        Table::new()
    }
}

impl Table {
    /// A table of empty lists.
    #[must_use]
    pub const fn new() -> Table {
        Table {
            buckets: [const { Bucket { lock: RawMutex::new(0), list: UnsafeCell::new(List::EMPTY) } };
                BUCKETS],
        }
    }

    /// Runs `work` on the list that holds the nodes of `key`, with its bucket locked.
    ///
    /// `work` must not come back to this table, nor panic, nor run anything of the program's.
    pub fn with<R>(&self, key: usize, work: impl FnOnce(&mut List) -> R) -> R {
        let hash = (key as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 57;
        let bucket = &self.buckets[hash as usize % BUCKETS];
        bucket.lock.lock();
        // SAFETY: under the lock nobody else touches the list.
        let result = work(unsafe { &mut *bucket.list.get() });
        // SAFETY: locked above.
        unsafe { bucket.lock.unlock() };
        result
    }

    /// Forgets all nodes and locks.
    ///
    /// # Safety
    /// No other thread exists.
    pub unsafe fn reset(&self) {
        for bucket in &self.buckets {
            bucket.lock.word().store(0, Release);
            // SAFETY: the caller's promise.
            unsafe { *bucket.list.get() = List::EMPTY };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static TABLE: Table = Table::new();

    #[test]
    fn nodes_of_a_key_leave_in_order_of_arrival_and_others_stay() {
        let nodes = [Node::new(8), Node::new(16), Node::new(8), Node::new(8)];
        let mut list = List::EMPTY;
        for (position, node) in nodes.iter().enumerate() {
            // SAFETY: the nodes outlive the list.
            unsafe { list.push(node, position as u64) };
        }
        assert_eq!(list.of(8).map(Node::note).collect::<Vec<_>>(), [0, 2, 3]);
        list.take(8, 2, 77).wake();
        assert!(nodes[0].sleep(None) && nodes[2].sleep(None));
        assert_eq!(nodes[2].note(), 77);
        assert_eq!(list.of(8).map(Node::note).collect::<Vec<_>>(), [3]);
        assert!(list.remove(&nodes[3]));
        assert!(!list.remove(&nodes[3]));
        assert_eq!(list.of(16).count(), 1);
        assert!(list.remove(&nodes[1]));
        assert!(list.first.is_null() && list.last.is_null());
    }

    #[test]
    fn a_reset_table_is_empty_and_unlocked() {
        let node = Node::new(64);
        // SAFETY: the node outlives its stay in the table.
        TABLE.with(64, |list| unsafe { list.push(&node, 1) });
        // SAFETY: no other test uses this table.
        unsafe { TABLE.reset() };
        assert_eq!(TABLE.with(64, |list| list.of(64).count()), 0);
    }
}
