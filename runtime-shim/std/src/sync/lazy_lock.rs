//! `LazyLock`: a [`Once`] and either the initialiser or the value.
//!
//! Ours, unlike `OnceLock`: the real one offers no place inside its initialiser where a record could
//! be made, and its drop check is an ordinary one.

use super::Once;
#[cfg(snag_since = "1.94")]
use crate::place::here;
use core::cell::UnsafeCell;
use core::fmt;
use core::mem::ManuallyDrop;
use core::ops::Deref;
#[cfg(snag_since = "1.89")]
use core::ops::DerefMut;
use core::panic::{RefUnwindSafe, UnwindSafe};
use snag_runtime::recorder::Place;

/// Which one it is, the once says: `initialiser` while incomplete, `value` when complete, neither
/// when poisoned.
union Data<T, F> {
    value: ManuallyDrop<T>,
    initialiser: ManuallyDrop<F>,
}

/// A value that is made when it is first needed; see the real `std::sync::LazyLock`.
pub struct LazyLock<T, F = fn() -> T> {
    once: Once,
    data: UnsafeCell<Data<T, F>>,
}

impl<T, F: FnOnce() -> T> LazyLock<T, F> {
    /// A value that `f` will make.
    #[inline]
    pub const fn new(f: F) -> LazyLock<T, F> {
        let data = Data { initialiser: ManuallyDrop::new(f) };
        LazyLock { once: Once::new(), data: UnsafeCell::new(data) }
    }

    /// The value, made now if it was not yet.
    ///
    /// # Panics
    /// If the initialiser has panicked, now or earlier.
    #[inline]
    #[track_caller]
    pub fn force(this: &LazyLock<T, F>) -> &T {
        this.once.call_once_force(|state| {
            if state.is_poisoned() {
                panic_poisoned();
            }
            // SAFETY: the once is incomplete, so nobody else looks at the data, which is the
            // initialiser. If that panics the once is poisoned and the data never read again.
            unsafe {
                let initialiser = ManuallyDrop::take(&mut (*this.data.get()).initialiser);
                let value = initialiser();
                *this.data.get() = Data { value: ManuallyDrop::new(value) };
            }
        });
        // SAFETY: the once is complete, so there is a value, which stays.
        unsafe { &(*this.data.get()).value }
    }

    /// The value, made now if it was not yet.
    ///
    /// # Panics
    /// If the initialiser has panicked, now or earlier.
    #[cfg(snag_since = "1.94")]
    #[inline]
    #[track_caller]
    pub fn force_mut(this: &mut LazyLock<T, F>) -> &mut T {
        LazyLock::forced_mut(this)
    }

    /// The value, or the initialiser if it was never called.
    ///
    /// # Errors
    /// The initialiser.
    ///
    /// # Panics
    /// If the initialiser has panicked.
    #[cfg(snag_nightly)]
    pub fn into_inner(mut this: Self) -> Result<T, F> {
        let complete = this.once.was_completed();
        if !complete {
            let mut was_poisoned = false;
            this.once.end(|poisoned| was_poisoned = poisoned);
            if was_poisoned {
                // Nothing is left to drop.
                core::mem::forget(this);
                panic_poisoned();
            }
        }
        let this = ManuallyDrop::new(this);
        // SAFETY: `this` is not used again.
        let data = unsafe { core::ptr::read(&raw const this.data) }.into_inner();
        // SAFETY: as the once said.
        unsafe {
            if complete {
                Ok(ManuallyDrop::into_inner(data.value))
            } else {
                Err(ManuallyDrop::into_inner(data.initialiser))
            }
        }
    }

    #[cfg(snag_since = "1.89")]
    #[inline]
    #[track_caller]
    fn forced_mut(this: &mut LazyLock<T, F>) -> &mut T {
        LazyLock::force(this);
        // SAFETY: the once is complete, and the borrow exclusive.
        unsafe { &mut this.data.get_mut().value }
    }
}

impl<T, F> LazyLock<T, F> {
    /// The value, if it was made.
    #[cfg(snag_since = "1.94")]
    #[inline]
    pub fn get_mut(this: &mut LazyLock<T, F>) -> Option<&mut T> {
        if !this.once.was_completed() {
            return None;
        }
        // SAFETY: the once is complete, and the borrow exclusive.
        Some(unsafe { &mut this.data.get_mut().value })
    }

    /// The value, if it was made.
    #[cfg(snag_since = "1.94")]
    #[inline]
    #[track_caller]
    pub fn get(this: &LazyLock<T, F>) -> Option<&T> {
        this.made(here())
    }

    #[inline]
    fn made(&self, place: Option<Place>) -> Option<&T> {
        // SAFETY: the once is complete, so there is a value, which stays.
        self.once.is_completed_at(place).then(|| unsafe { &*(*self.data.get()).value })
    }
}

impl<T, F> Drop for LazyLock<T, F> {
    fn drop(&mut self) {
        if self.once.was_completed() {
            // SAFETY: complete, so there is a value.
            return unsafe { ManuallyDrop::drop(&mut self.data.get_mut().value) };
        }
        let data = self.data.get_mut();
        // Only a call tells an incomplete once from a poisoned one; nobody will use it again.
        self.once.end(|poisoned| {
            if !poisoned {
                // SAFETY: incomplete, so there is still the initialiser.
                unsafe { ManuallyDrop::drop(&mut data.initialiser) };
            }
        });
    }
}

impl<T, F: FnOnce() -> T> Deref for LazyLock<T, F> {
    type Target = T;

    #[inline]
    #[track_caller]
    fn deref(&self) -> &T {
        LazyLock::force(self)
    }
}

#[cfg(snag_since = "1.89")]
impl<T, F: FnOnce() -> T> DerefMut for LazyLock<T, F> {
    #[inline]
    #[track_caller]
    fn deref_mut(&mut self) -> &mut T {
        LazyLock::forced_mut(self)
    }
}

impl<T: Default> Default for LazyLock<T> {
    #[inline]
    fn default() -> LazyLock<T> {
        LazyLock::new(T::default)
    }
}

#[cfg(snag_since = "1.96")]
impl<T, F> From<T> for LazyLock<T, F> {
    #[inline]
    fn from(value: T) -> Self {
        let once = Once::new();
        once.end(|_| ());
        LazyLock { once, data: UnsafeCell::new(Data { value: ManuallyDrop::new(value) }) }
    }
}

impl<T: fmt::Debug, F> fmt::Debug for LazyLock<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut d = f.debug_tuple("LazyLock");
        match self.made(None) {
            Some(value) => d.field(value),
            None => d.field(&format_args!("<uninit>")),
        };
        d.finish()
    }
}

#[cold]
#[inline(never)]
fn panic_poisoned() -> ! {
    panic!("LazyLock instance has previously been poisoned")
}

// SAFETY: the initialiser is called by one thread only, and never shared.
unsafe impl<T: Sync + Send, F: Send> Sync for LazyLock<T, F> {}
impl<T: RefUnwindSafe + UnwindSafe, F: UnwindSafe> RefUnwindSafe for LazyLock<T, F> {}
impl<T: UnwindSafe, F: UnwindSafe> UnwindSafe for LazyLock<T, F> {}
