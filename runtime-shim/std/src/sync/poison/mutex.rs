//! `Mutex`: a traced mutex, a poison flag and the data, laid out as std's.

use super::{Accessed, Flag, READ, WRITTEN};
use crate::place::here;
use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::panic::{RefUnwindSafe, UnwindSafe};
use real_std::sync::{self as real, LockResult, TryLockError, TryLockResult};
use snag_runtime::recorder::Place;
use snag_runtime::sync::Kind;
use snag_runtime::sync::Mutex as Traced;

/// A mutual exclusion primitive; see the real `std::sync::Mutex`.
pub struct Mutex<T: ?Sized> {
    inner: Traced,
    poison: Flag,
    data: UnsafeCell<T>,
}

// SAFETY: as a mutex hands its data from thread to thread, whole.
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}
// SAFETY: as above: only one thread at a time gets at the data.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}
impl<T: ?Sized> UnwindSafe for Mutex<T> {}
impl<T: ?Sized> RefUnwindSafe for Mutex<T> {}

/// A locked [`Mutex`].
#[must_use = "if unused the Mutex will immediately unlock"]
#[clippy::has_significant_drop]
pub struct MutexGuard<'a, T: ?Sized + 'a> {
    lock: &'a Mutex<T>,
    panicking: bool,
    accessed: Accessed,
    /// For its auto traits.
    real: PhantomData<real::MutexGuard<'a, T>>,
}

// SAFETY: a shared guard gives shared references to the data only.
unsafe impl<T: ?Sized + Sync> Sync for MutexGuard<'_, T> {}

impl<T> Mutex<T> {
    /// An unlocked mutex.
    #[inline]
    #[track_caller]
    pub const fn new(t: T) -> Mutex<T> {
        Mutex { inner: Traced::new(), poison: Flag::new(), data: UnsafeCell::new(t) }
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Locks, waiting for it.
    ///
    /// # Errors
    /// If a holder has panicked; the error holds the guard.
    #[inline]
    #[track_caller]
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        self.inner.lock(here());
        self.guard()
    }

    /// Locks if that needs no wait.
    ///
    /// # Errors
    /// If it is locked, or if a holder has panicked.
    #[inline]
    #[track_caller]
    pub fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        self.try_lock_at(here())
    }

    #[inline]
    fn try_lock_at(&self, place: Option<Place>) -> TryLockResult<MutexGuard<'_, T>> {
        if self.inner.try_lock(place) { Ok(self.guard()?) } else { Err(TryLockError::WouldBlock) }
    }

    #[inline]
    fn guard(&self) -> LockResult<MutexGuard<'_, T>> {
        self.poison.wrap(MutexGuard {
            lock: self,
            panicking: super::panicking(),
            accessed: Accessed::new(),
            real: PhantomData,
        })
    }
}

super::data::owner!(Mutex, lock, lock);

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut d = f.debug_struct("Mutex");
        match self.try_lock_at(None) {
            Ok(guard) => {
                d.field("data", &guard.peek());
            }
            Err(TryLockError::Poisoned(err)) => {
                d.field("data", &err.get_ref().peek());
            }
            Err(TryLockError::WouldBlock) => {
                d.field("data", &"<locked>");
            }
        }
        d.field("poisoned", &self.poison.get());
        d.finish_non_exhaustive()
    }
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// The data, without a record.
    fn peek(&self) -> &T {
        // SAFETY: locked as long as the guard lives.
        unsafe { &*self.lock.data.get() }
    }

    pub(super) fn traced(&self) -> &'a Traced {
        &self.lock.inner
    }

    pub(super) fn poison(&self) -> &'a Flag {
        &self.lock.poison
    }

    /// The lock was given up and taken again.
    pub(super) fn retaken(&self) {
        self.accessed.reset();
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    #[track_caller]
    fn deref(&self) -> &T {
        if self.accessed.first(READ) {
            self.lock.inner.accessed(Kind::Read, here());
        }
        // SAFETY: locked as long as the guard lives.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline]
    #[track_caller]
    fn deref_mut(&mut self) -> &mut T {
        if self.accessed.first(WRITTEN) {
            self.lock.inner.accessed(Kind::Write, here());
        }
        // SAFETY: locked as long as the guard lives, and the guard is borrowed exclusively.
        unsafe { &mut *self.lock.data.get() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.poison.done(self.panicking);
        // SAFETY: locked when the guard was made.
        unsafe { self.lock.inner.unlock(None) };
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.peek().fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.peek().fmt(f)
    }
}
