//! `ReentrantLock` (unstable): a traced mutex, its owner and a count.

use crate::place::here;
use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::ops::Deref;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use snag_runtime::recorder::Place;
use snag_runtime::sync::Mutex as Traced;
use snag_runtime::sync::ObjectKind;
use snag_runtime::sync::thread::current_integer;

/// A lock that its holder may take again; see the real `std::sync::ReentrantLock`.
pub struct ReentrantLock<T: ?Sized> {
    mutex: Traced,
    /// The holder's id, 0 if free. Only the holder can find its own.
    owner: AtomicU64,
    count: UnsafeCell<u32>,
    data: T,
}

// SAFETY: the count is only touched by the holder, and the data goes where the lock goes.
unsafe impl<T: Send + ?Sized> Send for ReentrantLock<T> {}
// SAFETY: as above; only one thread at a time gets at the data.
unsafe impl<T: Send + ?Sized> Sync for ReentrantLock<T> {}
impl<T: UnwindSafe + ?Sized> UnwindSafe for ReentrantLock<T> {}
impl<T: RefUnwindSafe + ?Sized> RefUnwindSafe for ReentrantLock<T> {}

/// A locked [`ReentrantLock`].
#[must_use = "if unused the ReentrantLock will immediately unlock"]
pub struct ReentrantLockGuard<'a, T: ?Sized + 'a> {
    lock: &'a ReentrantLock<T>,
    /// It must be dropped by the thread that locked.
    not_send: PhantomData<*const ()>,
}

// SAFETY: a shared guard gives shared references to the data only.
unsafe impl<T: ?Sized + Sync> Sync for ReentrantLockGuard<'_, T> {}

impl<T> ReentrantLock<T> {
    /// An unlocked lock.
    #[track_caller]
    pub const fn new(t: T) -> ReentrantLock<T> {
        ReentrantLock { mutex: Traced::new(), owner: AtomicU64::new(0), count: UnsafeCell::new(0), data: t }
    }

    /// The data.
    pub fn into_inner(self) -> T {
        self.data
    }
}

impl<T: ?Sized> ReentrantLock<T> {
    /// Locks, waiting for it, unless this thread holds it already.
    ///
    /// # Panics
    /// If it is held 2^32 - 1 times.
    #[track_caller]
    pub fn lock(&self) -> ReentrantLockGuard<'_, T> {
        let me = current_integer();
        if self.owner.load(Relaxed) == me {
            self.again().expect("lock count overflow in reentrant mutex");
        } else {
            self.mutex.lock_as(ObjectKind::ReentrantLock, here());
            self.owned(me);
        }
        ReentrantLockGuard { lock: self, not_send: PhantomData }
    }

    fn try_lock_at(&self, place: Option<Place>) -> Option<ReentrantLockGuard<'_, T>> {
        let me = current_integer();
        if self.owner.load(Relaxed) == me {
            self.again()?;
        } else if self.mutex.try_lock_as(ObjectKind::ReentrantLock, place) {
            self.owned(me);
        } else {
            return None;
        }
        Some(ReentrantLockGuard { lock: self, not_send: PhantomData })
    }

    /// Locks if that needs no wait.
    #[doc(hidden)]
    #[track_caller]
    pub fn try_lock(&self) -> Option<ReentrantLockGuard<'_, T>> {
        self.try_lock_at(here())
    }

    /// The data, which nobody else can reach.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.data
    }

    fn owned(&self, me: u64) {
        self.owner.store(me, Relaxed);
        // SAFETY: just locked.
        unsafe { *self.count.get() = 1 };
    }

    fn again(&self) -> Option<()> {
        // SAFETY: this thread holds the lock.
        unsafe { *self.count.get() = (*self.count.get()).checked_add(1)? };
        Some(())
    }
}

impl<T: fmt::Debug + ?Sized> fmt::Debug for ReentrantLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut d = f.debug_struct("ReentrantLock");
        match self.try_lock_at(None) {
            Some(guard) => d.field("data", &&*guard),
            None => d.field("data", &format_args!("<locked>")),
        };
        d.finish_non_exhaustive()
    }
}

impl<T: Default> Default for ReentrantLock<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for ReentrantLock<T> {
    #[track_caller]
    fn from(t: T) -> Self {
        Self::new(t)
    }
}

impl<T: ?Sized> Deref for ReentrantLockGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.lock.data
    }
}

impl<T: fmt::Debug + ?Sized> fmt::Debug for ReentrantLockGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: fmt::Display + ?Sized> fmt::Display for ReentrantLockGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized> Drop for ReentrantLockGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: this thread holds the lock, as often as there are guards.
        unsafe {
            *self.lock.count.get() -= 1;
            if *self.lock.count.get() == 0 {
                self.lock.owner.store(0, Relaxed);
                self.lock.mutex.unlock(None);
            }
        }
    }
}
