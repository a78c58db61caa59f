//! Memory that is shared without a lock of its own.

use std::cell::UnsafeCell;

/// A cell that whoever uses it promises to use in turn.
#[derive(Default)]
pub struct Shared<T>(UnsafeCell<T>);

// SAFETY: it is not safe; that is what is tested.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    pub const fn new(value: T) -> Shared<T> {
        Shared(UnsafeCell::new(value))
    }

    pub fn get(&self) -> T
    where
        T: Copy,
    {
        // SAFETY: as above.
        unsafe { *self.0.get() }
    }

    pub fn set(&self, value: T) {
        // SAFETY: as above.
        unsafe { *self.0.get() = value }
    }
}
