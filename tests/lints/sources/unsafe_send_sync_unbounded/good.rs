//! Bounds, and types that hold none.

use std::cell::UnsafeCell;
use std::marker::PhantomData;

pub struct Cell<T> {
    value: UnsafeCell<T>,
}

// SAFETY: the value goes with the cell.
unsafe impl<T: Send> Send for Cell<T> {}
// SAFETY: the value is only handed out by value.
unsafe impl<T> Sync for Cell<T> where T: Send + Copy {}

pub struct Tag<T> {
    id: u64,
    of: PhantomData<fn() -> T>,
}

// SAFETY: there is no `T` in it.
unsafe impl<T> Send for Tag<T> {}

pub struct Plain {
    pointer: *mut u8,
}

// SAFETY: the pointer is owned.
unsafe impl Send for Plain {}
