//! A mutex in the two low bits of one word.
//!
//! Invariant: every transition keeps the thirty other bits, which belong to the identity and may
//! change under our hands (once, when the lock is first recorded).
//!
//! Source: the third mutex of "Futexes are tricky", with a short spin before the first sleep.

use super::futex;
use core::hint::spin_loop;
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// The bits that are the lock's.
pub const STATE: u32 = 0b11;
const LOCKED: u32 = 1;
/// Locked, and someone may be asleep.
const CONTENDED: u32 = 2;
/// Nothing changes while one controlled thread spins.
const SPINS: u32 = if cfg!(snag_explore) { 1 } else { 100 };

/// A lock without data, poison or record.
#[derive(Debug)]
#[repr(transparent)]
pub struct RawMutex {
    word: AtomicU32,
}

impl RawMutex {
    /// A free lock whose word is `word`, of which the [`STATE`] bits must be 0.
    #[inline]
    #[must_use]
    pub const fn new(word: u32) -> RawMutex {
        RawMutex { word: AtomicU32::new(word) }
    }

    /// The whole word, for the identity in its upper bits.
    #[inline]
    #[must_use]
    pub const fn word(&self) -> &AtomicU32 {
        &self.word
    }

    /// Takes the lock if it is free.
    #[inline]
    #[must_use]
    pub fn try_lock(&self) -> bool {
        let mut word = self.word.load(Relaxed);
        while word & STATE == 0 {
            match self.word.compare_exchange_weak(word, word | LOCKED, Acquire, Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    /// Takes the lock, waiting for it.
    #[inline]
    pub fn lock(&self) {
        if !self.try_lock() {
            self.lock_contended();
        }
    }

    /// Takes the lock after [`RawMutex::try_lock`] has failed.
    #[cold]
    pub fn lock_contended(&self) {
        // Whoever has slept may have left others asleep, and must wake one when it unlocks.
        let mut held = LOCKED;
        loop {
            let word = self.spin();
            let rest = word & !STATE;
            if word & STATE == 0 {
                if self.word.compare_exchange_weak(word, rest | held, Acquire, Relaxed).is_ok() {
                    return;
                }
                continue;
            }
            let contended = rest | CONTENDED;
            if word != contended && self.word.compare_exchange(word, contended, Relaxed, Relaxed).is_err() {
                continue;
            }
            held = CONTENDED;
            futex::wait(&self.word, contended, futex::ANY, None);
        }
    }

    /// The word once it is free or contended, or after a short while.
    fn spin(&self) -> u32 {
        for _ in 0..SPINS {
            let word = self.word.load(Relaxed);
            if word & STATE != LOCKED {
                return word;
            }
            spin_loop();
        }
        self.word.load(Relaxed)
    }

    /// Gives the lock up.
    ///
    /// # Safety
    /// The caller holds it.
    #[inline]
    pub unsafe fn unlock(&self) {
        // One subtraction frees a lock that nobody waits for, and no other bit can be borrowed
        // from, since the state is not 0.
        if self.word.fetch_sub(1, Release) & STATE != LOCKED {
            self.unlock_contended();
        }
    }

    #[cold]
    fn unlock_contended(&self) {
        self.word.fetch_and(!STATE, Release);
        futex::wake((&raw const self.word).addr(), 1, futex::ANY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::UnsafeCell;
    use std::thread;

    struct Counter(RawMutex, UnsafeCell<u64>);
    // SAFETY: the cell is only touched under the mutex.
    unsafe impl Sync for Counter {}

    #[test]
    fn a_contended_mutex_excludes_and_keeps_the_other_bits() {
        let counter = Counter(RawMutex::new(0xabcd_0000), UnsafeCell::new(0));
        let counter = &counter;
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50_000 {
                        counter.0.lock();
                        // SAFETY: the lock is held.
                        unsafe {
                            *counter.1.get() += 1;
                            counter.0.unlock();
                        }
                    }
                });
            }
        });
        // SAFETY: all threads have ended.
        assert_eq!(unsafe { *counter.1.get() }, 200_000);
        assert_eq!(counter.0.word().load(Relaxed), 0xabcd_0000);
    }

    #[test]
    fn the_identity_may_change_while_the_lock_is_held_and_waited_for() {
        let mutex = RawMutex::new(0);
        mutex.lock();
        thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                mutex.lock();
                // SAFETY: just locked.
                unsafe { mutex.unlock() };
            });
            thread::sleep(std::time::Duration::from_millis(10));
            mutex.word().fetch_or(0x1230, Relaxed);
            // SAFETY: locked above.
            unsafe { mutex.unlock() };
            waiter.join().expect("no panic");
        });
        assert_eq!(mutex.word().load(Relaxed), 0x1230);
        assert!(mutex.try_lock());
        assert!(!mutex.try_lock());
    }
}
