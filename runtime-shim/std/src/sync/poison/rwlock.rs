//! `RwLock`: a traced reader-writer lock, a poison flag and the data, laid out as std's.

use super::{Accessed, Flag, READ, WRITTEN};
use crate::place::here;
use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};
use real_std::sync::{self as real, LockResult, TryLockError, TryLockResult};
use snag_runtime::recorder::Place;
use snag_runtime::sync::RwLock as Traced;
use snag_runtime::sync::{Kind, Mode};

/// A reader-writer lock; see the real `std::sync::RwLock`.
pub struct RwLock<T: ?Sized> {
    inner: Traced,
    poison: Flag,
    data: UnsafeCell<T>,
}

// SAFETY: the data may go where the lock goes.
unsafe impl<T: ?Sized + Send> Send for RwLock<T> {}
// SAFETY: several threads may read the data at once, and one at a time may take it.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}
impl<T: ?Sized> UnwindSafe for RwLock<T> {}
impl<T: ?Sized> RefUnwindSafe for RwLock<T> {}

/// A [`RwLock`] locked for reading.
#[must_use = "if unused the RwLock will immediately unlock"]
#[clippy::has_significant_drop]
pub struct RwLockReadGuard<'rwlock, T: ?Sized + 'rwlock> {
    /// A pointer, not a reference: covariant, and not `noalias` beyond the guard's life.
    data: NonNull<T>,
    lock: Tagged,
    /// For its auto traits.
    real: PhantomData<real::RwLockReadGuard<'rwlock, T>>,
}

// SAFETY: a shared guard gives shared references to the data only.
unsafe impl<T: ?Sized + Sync> Sync for RwLockReadGuard<'_, T> {}

/// A lock's address, whose lowest bit says that a read of this section has been recorded: a read
/// guard has no spare byte.
struct Tagged(AtomicPtr<Traced>);

impl Tagged {
    #[inline]
    fn new(lock: &Traced) -> Tagged {
        Tagged(AtomicPtr::new((&raw const *lock).cast_mut()))
    }

    /// The lock; the tagged guard must not outlive it.
    #[cfg_attr(snag_memory, inline(never))]
    #[cfg_attr(not(snag_memory), inline)]
    fn lock(&self) -> NonNull<Traced> {
        let pointer = self.0.load(Relaxed).map_addr(|address| address & !1);
        // SAFETY: made from a reference.
        unsafe { NonNull::new_unchecked(pointer) }
    }

    #[cfg_attr(snag_memory, inline(never))]
    #[cfg_attr(not(snag_memory), inline)]
    fn first_read(&self) -> bool {
        let pointer = self.0.load(Relaxed);
        if pointer.addr() & 1 != 0 {
            return false;
        }
        self.0.store(pointer.map_addr(|address| address | 1), Relaxed);
        true
    }
}

/// A [`RwLock`] locked for writing.
#[must_use = "if unused the RwLock will immediately unlock"]
#[clippy::has_significant_drop]
pub struct RwLockWriteGuard<'rwlock, T: ?Sized + 'rwlock> {
    lock: &'rwlock RwLock<T>,
    panicking: bool,
    accessed: Accessed,
    /// For its auto traits.
    real: PhantomData<real::RwLockWriteGuard<'rwlock, T>>,
}

// SAFETY: a shared guard gives shared references to the data only.
unsafe impl<T: ?Sized + Sync> Sync for RwLockWriteGuard<'_, T> {}

impl<T> RwLock<T> {
    /// An unlocked lock.
    #[inline]
    #[track_caller]
    pub const fn new(t: T) -> RwLock<T> {
        RwLock { inner: Traced::new(), poison: Flag::new(), data: UnsafeCell::new(t) }
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Locks for reading, waiting for it.
    ///
    /// # Errors
    /// If a writer has panicked; the error holds the guard.
    #[inline]
    #[track_caller]
    pub fn read(&self) -> LockResult<RwLockReadGuard<'_, T>> {
        self.inner.read(here());
        self.read_guard()
    }

    /// Locks for reading if that needs no wait.
    ///
    /// # Errors
    /// If it is locked for writing or a writer waits, or if a writer has panicked.
    #[inline]
    #[track_caller]
    pub fn try_read(&self) -> TryLockResult<RwLockReadGuard<'_, T>> {
        self.try_read_at(here())
    }

    #[inline]
    fn try_read_at(&self, place: Option<Place>) -> TryLockResult<RwLockReadGuard<'_, T>> {
        if self.inner.try_read(place) { Ok(self.read_guard()?) } else { Err(TryLockError::WouldBlock) }
    }

    /// Locks for writing, waiting for it.
    ///
    /// # Errors
    /// If a writer has panicked; the error holds the guard.
    #[inline]
    #[track_caller]
    pub fn write(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
        self.inner.write(here());
        self.write_guard()
    }

    /// Locks for writing if that needs no wait.
    ///
    /// # Errors
    /// If it is locked, or if a writer has panicked.
    #[inline]
    #[track_caller]
    pub fn try_write(&self) -> TryLockResult<RwLockWriteGuard<'_, T>> {
        if self.inner.try_write(here()) { Ok(self.write_guard()?) } else { Err(TryLockError::WouldBlock) }
    }

    #[inline]
    fn read_guard(&self) -> LockResult<RwLockReadGuard<'_, T>> {
        // SAFETY: the address of a field.
        let data = unsafe { NonNull::new_unchecked(self.data.get()) };
        self.poison.wrap(RwLockReadGuard { data, lock: Tagged::new(&self.inner), real: PhantomData })
    }

    #[inline]
    fn write_guard(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
        self.poison.wrap(RwLockWriteGuard {
            lock: self,
            panicking: super::panicking(),
            accessed: Accessed::new(),
            real: PhantomData,
        })
    }
}

super::data::owner!(RwLock, read, write);

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut d = f.debug_struct("RwLock");
        match self.try_read_at(None) {
            Ok(guard) => {
                d.field("data", &guard.peek());
            }
            Err(TryLockError::Poisoned(err)) => {
                d.field("data", &err.get_ref().peek());
            }
            Err(TryLockError::WouldBlock) => {
                d.field("data", &format_args!("<locked>"));
            }
        }
        d.field("poisoned", &self.poison.get());
        d.finish_non_exhaustive()
    }
}

impl<T: ?Sized> RwLockReadGuard<'_, T> {
    fn peek(&self) -> &T {
        // SAFETY: locked for reading as long as the guard lives.
        unsafe { self.data.as_ref() }
    }

    fn traced(&self) -> &Traced {
        // SAFETY: the guard borrows the lock.
        unsafe { self.lock.lock().as_ref() }
    }
}

impl<'rwlock, T: ?Sized> RwLockWriteGuard<'rwlock, T> {
    fn peek(&self) -> &T {
        // SAFETY: locked for writing as long as the guard lives.
        unsafe { &*self.lock.data.get() }
    }

    /// Makes a write guard a read guard, without being unlocked between.
    #[cfg(snag_since = "1.92")]
    #[track_caller]
    pub fn downgrade(s: Self) -> RwLockReadGuard<'rwlock, T> {
        let lock = s.lock;
        // The guard's end would unlock.
        core::mem::forget(s);
        // SAFETY: the guard held the lock for writing.
        unsafe { lock.inner.downgrade(here()) };
        lock.read_guard().unwrap_or_else(real::PoisonError::into_inner)
    }
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    #[inline]
    #[track_caller]
    fn deref(&self) -> &T {
        if self.lock.first_read() {
            self.traced().accessed(Kind::Read, Mode::Shared, here());
        }
        // SAFETY: locked for reading as long as the guard lives.
        unsafe { self.data.as_ref() }
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    #[inline]
    #[track_caller]
    fn deref(&self) -> &T {
        if self.accessed.first(READ) {
            self.lock.inner.accessed(Kind::Read, Mode::Exclusive, here());
        }
        // SAFETY: locked for writing as long as the guard lives.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    #[inline]
    #[track_caller]
    fn deref_mut(&mut self) -> &mut T {
        if self.accessed.first(WRITTEN) {
            self.lock.inner.accessed(Kind::Write, Mode::Exclusive, here());
        }
        // SAFETY: locked for writing as long as the guard lives, which is borrowed exclusively.
        unsafe { &mut *self.lock.data.get() }
    }
}

impl<T: ?Sized> Drop for RwLockReadGuard<'_, T> {
    fn drop(&mut self) {
        // SAFETY: locked for reading when the guard was made.
        unsafe { self.traced().read_unlock(None) };
    }
}

impl<T: ?Sized> Drop for RwLockWriteGuard<'_, T> {
    fn drop(&mut self) {
        self.lock.poison.done(self.panicking);
        // SAFETY: locked for writing when the guard was made.
        unsafe { self.lock.inner.write_unlock(None) };
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.peek().fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.peek().fmt(f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.peek().fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.peek().fmt(f)
    }
}
