//! Types that can be sent whatever is in them.

use std::cell::UnsafeCell;

pub struct Cell<T> {
    value: UnsafeCell<T>,
}

// SAFETY: it is not: a `T` may not be sent.
unsafe impl<T> Send for Cell<T> {} //~ unsafe_send_sync_unbounded

pub struct Queue<T: Clone> {
    items: Vec<Option<T>>,
}

// SAFETY: it is not.
unsafe impl<T: Clone> Sync for Queue<T> {} //~ unsafe_send_sync_unbounded
