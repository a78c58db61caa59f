//! The children of a scope, whose end joins those that nobody has joined.
//!
//! The real scope waits for its threads' results where no record can be made, so the scope's
//! thread first waits here, one child after the other, saying for which. A scope is found by the
//! address of the real one, as its handle has no room for more.
//!
//! Invariant: [`Children`] outlives the real scope, and a [`Member`] the code of its thread, for
//! whose end the real scope waits.

use super::thread::{joined, joining};
use crate::engine::current::queue::{Node, Table};
use crate::engine::current::{RawCondvar, RawMutex};
use crate::recorder::{self, Place};
use core::cell::UnsafeCell;
use core::marker::PhantomPinned;
use core::pin::Pin;
use core::ptr::NonNull;

static OPEN: Table = Table::new();

/// Forgets the scopes of the parent's other threads.
///
/// # Safety
/// Only in a forked child, before it starts a thread.
pub(crate) unsafe fn after_fork_in_child() {
    // SAFETY: the caller's promise.
    unsafe { OPEN.reset() };
}

/// Thread `number` is joined, but for its thread-local destructors, which no scope waits for.
fn code_joined(number: u32, place: Option<Place>) {
    #[cfg(any(snag_memory, test))]
    crate::memory::joins_code(true);
    joined(number, place);
    #[cfg(any(snag_memory, test))]
    crate::memory::joins_code(false);
}

#[derive(Debug)]
struct Child {
    number: u32,
    ended: bool,
}

/// The children of one scope.
#[derive(Debug)]
pub struct Children {
    node: Node,
    lock: RawMutex,
    ended: RawCondvar,
    list: UnsafeCell<Vec<Child>>,
    _pinned: PhantomPinned,
}

impl Default for Children {
    fn default() -> Children {
        Children::new()
    }
}

impl Children {
    /// No children, of a scope not yet open.
    #[must_use]
    pub const fn new() -> Children {
        Children {
            node: Node::new(0),
            lock: RawMutex::new(0),
            ended: RawCondvar::new(0),
            list: UnsafeCell::new(Vec::new()),
            _pinned: PhantomPinned,
        }
    }

    /// The real scope's handle is at `address`: its threads find this from now on.
    pub fn open(self: Pin<&Children>, address: usize) {
        if recorder::on() && self.node.key() == 0 {
            self.node.move_to(address);
            // SAFETY: pinned, pushed once, and taken out of the list when dropped.
            OPEN.with(address, |list| unsafe { list.push(&self.get_ref().node, self.pointer()) });
        }
    }

    fn pointer(&self) -> u64 {
        (&raw const *self).expose_provenance() as u64
    }

    fn locked<R>(&self, work: impl FnOnce(&mut Vec<Child>) -> R) -> R {
        self.lock.lock();
        // SAFETY: locked; `work` neither panics nor comes back here.
        let result = work(unsafe { &mut *self.list.get() });
        // SAFETY: locked above.
        unsafe { self.lock.unlock() };
        result
    }

    /// Waits until all children have ended, saying for which.
    pub fn wait(&self, place: Option<Place>) {
        while let Some(number) =
            self.locked(|list| list.iter().find(|child| !child.ended).map(|child| child.number))
        {
            joining(number, place);
            self.lock.lock();
            // SAFETY: locked; the reference ends with the statement.
            while unsafe { (*self.list.get()).iter().any(|child| child.number == number && !child.ended) } {
                // SAFETY: locked.
                unsafe { self.ended.wait(&self.lock, None) };
            }
            // SAFETY: locked above.
            unsafe { self.lock.unlock() };
            code_joined(number, place);
        }
    }

    /// The real scope is over: all children are joined.
    pub fn joined(&self, place: Option<Place>) {
        for child in self.locked(core::mem::take) {
            code_joined(child.number, place);
        }
    }

    fn end(&self, number: u32) {
        self.locked(|list| {
            for child in list.iter_mut().filter(|child| child.number == number) {
                child.ended = true;
            }
        });
        self.ended.notify(usize::MAX, |_| 0);
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        let key = self.node.key();
        if key != 0 {
            OPEN.with(key, |list| list.remove(&self.node));
        }
    }
}

/// A thread of a scope, to be dropped when its code has ended, or was never started.
#[derive(Debug)]
pub struct Member {
    children: NonNull<Children>,
    number: u32,
}

// SAFETY: the children are shared under their lock, and outlive the member.
unsafe impl Send for Member {}

impl Member {
    /// Makes thread `number`, about to be spawned, a child of the open scope whose real handle is
    /// at `address`. `None` if nothing is recorded.
    #[must_use]
    pub fn join(address: usize, number: u32) -> Option<Member> {
        if number == 0 {
            return None;
        }
        let pointer = OPEN.with(address, |list| list.of(address).next().map(Node::note))?;
        let children = NonNull::new(core::ptr::with_exposed_provenance_mut::<Children>(pointer as usize))?;
        // SAFETY: the scope is open, as its handle is in use, and the children outlive it.
        unsafe { children.as_ref() }.locked(|list| list.push(Child { number, ended: false }));
        Some(Member { children, number })
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        #[cfg(any(snag_memory, test))]
        crate::memory::code_ended();
        // SAFETY: the real scope still waits for this thread.
        unsafe { self.children.as_ref() }.end(self.number);
    }
}
