//! `std::sync::poison`: what a panicking holder leaves poisoned. The errors are the real std's.

#[cfg(snag_nightly)]
pub use real_std::sync::{LockResult, PoisonError, TryLockError, TryLockResult};

pub use self::condvar::Condvar;
pub use self::mutex::{Mutex, MutexGuard};
pub use self::rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use core::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use real_std::sync::{LockResult as Locked, PoisonError as Poisoned};
use real_std::thread;

mod condvar;
mod data;
mod mutex;
mod rwlock;

/// Whether a holder has panicked. Whoever reads it has synchronised by the lock.
struct Flag(AtomicBool);

impl Flag {
    #[inline]
    const fn new() -> Flag {
        Flag(AtomicBool::new(false))
    }

    #[cfg_attr(snag_memory, inline(never))]
    #[cfg_attr(not(snag_memory), inline)]
    fn get(&self) -> bool {
        self.0.load(Relaxed)
    }

    #[cfg_attr(snag_memory, inline(never))]
    #[cfg_attr(not(snag_memory), inline)]
    fn clear(&self) {
        self.0.store(false, Relaxed);
    }

    /// At the end of a critical section that began while the thread was `panicking`, or not.
    #[cfg_attr(snag_memory, inline(never))]
    #[cfg_attr(not(snag_memory), inline)]
    fn done(&self, panicking: bool) {
        if !panicking && self::panicking() {
            self.0.store(true, Relaxed);
        }
    }

    /// `value`, as an error if poisoned.
    #[inline]
    fn wrap<T>(&self, value: T) -> Locked<T> {
        if self.get() { Err(Poisoned::new(value)) } else { Ok(value) }
    }
}

/// Whether the calling thread panics. The real function's count of panics is one atomic for all threads.
#[cfg_attr(snag_memory, inline(never))]
#[cfg_attr(not(snag_memory), inline)]
fn panicking() -> bool {
    thread::panicking()
}

/// Which accesses of one critical section have been recorded.
struct Accessed(AtomicU8);

const READ: u8 = 1;
const WRITTEN: u8 = 2;

impl Accessed {
    #[inline]
    const fn new() -> Accessed {
        Accessed(AtomicU8::new(0))
    }

    /// Whether this is the section's first access of this sort.
    #[cfg_attr(snag_memory, inline(never))]
    #[cfg_attr(not(snag_memory), inline)]
    fn first(&self, access: u8) -> bool {
        let accessed = self.0.load(Relaxed);
        if accessed & access != 0 {
            return false;
        }
        self.0.store(accessed | access, Relaxed);
        true
    }

    /// A new section begins.
    #[cfg_attr(snag_memory, inline(never))]
    #[cfg_attr(not(snag_memory), inline)]
    fn reset(&self) {
        self.0.store(0, Relaxed);
    }
}

/// `result`, with another value.
fn map<A, B>(result: Locked<A>, change: impl FnOnce(A) -> B) -> Locked<B> {
    match result {
        Ok(value) => Ok(change(value)),
        Err(error) => Err(Poisoned::new(change(error.into_inner()))),
    }
}
