//! The layer's own lock: a word that is spun on, and that a fork of the process sets free.
//!
//! A forked child has the parent's memory but none of its other threads, and some of those may have
//! held a lock. A held lock therefore carries the number of forks up to its process: one with another
//! number was held in the parent, and counts as free.

use core::sync::atomic::{AtomicU32, Ordering};

use super::kernel;

/// Forks so far, plus one.
static GENERATION: AtomicU32 = AtomicU32::new(1);

/// Sets all locks free.
pub(super) fn after_fork_in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// A lock; all zero is free.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(super) struct Lock(AtomicU32);

/// A held lock, free again when dropped.
pub(super) struct Held<'a>(&'a Lock);

impl Lock {
    /// A free lock.
    pub(super) const fn new() -> Lock {
        Lock(AtomicU32::new(0))
    }

    /// Takes the lock, waiting for it.
    #[inline]
    pub(super) fn lock(&self) -> Held<'_> {
        let own = GENERATION.load(Ordering::Relaxed);
        if self.0.compare_exchange(0, own, Ordering::Acquire, Ordering::Relaxed).is_err() {
            self.wait(own);
        }
        Held(self)
    }

    #[cold]
    fn wait(&self, own: u32) {
        let mut spins = 0_u32;
        loop {
            let there = self.0.load(Ordering::Relaxed);
            if there != own
                && self.0.compare_exchange(there, own, Ordering::Acquire, Ordering::Relaxed).is_ok()
            {
                return;
            }
            spins += 1;
            if spins.is_multiple_of(64) {
                kernel::yield_now();
            }
            core::hint::spin_loop();
        }
    }
}

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.0.store(0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_lets_one_in_at_a_time() {
        static LOCK: Lock = Lock::new();
        static COUNT: AtomicU32 = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        let _held = LOCK.lock();
                        let count = COUNT.load(Ordering::Relaxed);
                        COUNT.store(count + 1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(COUNT.load(Ordering::Relaxed), 4000);
    }

    #[test]
    fn a_lock_of_the_parent_is_free_in_the_child() {
        let lock = Lock(AtomicU32::new(u32::MAX));
        drop(lock.lock());
        assert_eq!(lock.0.load(Ordering::Relaxed), 0);
    }
}
