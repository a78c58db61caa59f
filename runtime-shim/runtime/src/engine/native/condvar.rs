//! A condvar whose notify knows whom it wakes.
//!
//! The condvar's own word is all identity: its waiters stand in a static table, by its address,
//! in order of arrival. Hence a notify wakes exactly those who waited when it was called, never
//! more, and the number it is recorded with reaches each of them. There are no spurious wakes.
//!
//! The callbacks run under the queue's lock, so that the order of their records is that of the
//! operations; they only record.

use super::futex::Deadline;
use super::queue::{Node, Table};
use core::sync::atomic::AtomicU32;

pub(super) static WAITERS: Table = Table::new();

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// By the notify that returned this number.
    Notified(u64),
    /// By its deadline.
    TimedOut,
}

/// A condvar without record.
#[derive(Debug)]
#[repr(transparent)]
pub struct RawCondvar {
    word: AtomicU32,
}

/// A place in the queue, on the waiting thread's stack.
#[derive(Debug)]
pub struct Waiter(Node);

impl RawCondvar {
    /// A condvar whose word is `word`, of which the engine uses no bit.
    #[inline]
    #[must_use]
    pub const fn new(word: u32) -> RawCondvar {
        RawCondvar { word: AtomicU32::new(word) }
    }

    /// The word, for the identity.
    #[inline]
    #[must_use]
    pub const fn word(&self) -> &AtomicU32 {
        &self.word
    }

    fn key(&self) -> usize {
        (&raw const self.word).addr()
    }

    /// A place in the queue, not yet taken.
    #[must_use]
    pub fn waiter(&self) -> Waiter {
        Waiter(Node::new(self.key()))
    }

    /// Queues; from now on a notify finds this waiter. `began` runs at that moment.
    ///
    /// # Safety
    /// `waiter` stays in place until [`RawCondvar::block`] has returned, which must follow.
    pub unsafe fn enqueue(&self, waiter: &Waiter, began: impl FnOnce()) {
        WAITERS.with(self.key(), |list| {
            began();
            // SAFETY: the caller's promise.
            unsafe { list.push(&waiter.0, 0) };
        });
    }

    /// Sleeps until notified or the deadline. `timed_out` runs at the moment at which the waiter
    /// leaves the queue by itself.
    pub fn block(&self, waiter: &Waiter, deadline: Option<&Deadline>, timed_out: impl FnOnce()) -> Waited {
        if !waiter.0.sleep(deadline) {
            let left = WAITERS.with(self.key(), |list| {
                let left = list.remove(&waiter.0);
                if left {
                    timed_out();
                }
                left
            });
            if left {
                return Waited::TimedOut;
            }
            // A notify has taken us out and is about to wake us.
            waiter.0.sleep(None);
        }
        Waited::Notified(waiter.0.note())
    }

    /// Wakes at most `most` waiters. `notifies` is told how many wait, and returns the number that
    /// those who are woken see.
    pub fn notify(&self, most: usize, notifies: impl FnOnce(usize) -> u64) {
        WAITERS
            .with(self.key(), |list| {
                let number = notifies(list.of(self.key()).count());
                list.take(self.key(), most, number)
            })
            .wake();
    }

    /// Gives `mutex` up, waits, and takes it again, all unrecorded.
    ///
    /// # Safety
    /// The caller holds `mutex`.
    pub unsafe fn wait(&self, mutex: &super::RawMutex, deadline: Option<&Deadline>) -> Waited {
        let waiter = self.waiter();
        // SAFETY: `block` follows, and the waiter stays where it is.
        unsafe { self.enqueue(&waiter, || ()) };
        // SAFETY: the caller's promise.
        unsafe { mutex.unlock() };
        let waited = self.block(&waiter, deadline, || ());
        mutex.lock();
        waited
    }
}

#[cfg(test)]
mod tests {
    use super::super::RawMutex;
    use super::*;
    use std::thread;
    use std::time::Duration;

    #[test]
    fn a_notify_reaches_exactly_the_first_waiter_with_its_number() {
        let condvar = RawCondvar::new(0);
        let mutex = RawMutex::new(0);
        let wait = || {
            mutex.lock();
            // SAFETY: just locked.
            let waited = unsafe { condvar.wait(&mutex, None) };
            // SAFETY: locked again by the wait.
            unsafe { mutex.unlock() };
            waited
        };
        let waiting = |count| {
            while WAITERS.with(condvar.key(), |list| list.of(condvar.key()).count()) < count {
                thread::yield_now();
            }
        };
        thread::scope(|scope| {
            let first = scope.spawn(wait);
            waiting(1);
            let second = scope.spawn(wait);
            waiting(2);
            condvar.notify(1, |waiting| 40 + waiting as u64);
            assert_eq!(first.join().expect("no panic"), Waited::Notified(42));
            condvar.notify(usize::MAX, |waiting| waiting as u64);
            assert_eq!(second.join().expect("no panic"), Waited::Notified(1));
        });
        condvar.notify(1, |waiting| {
            assert_eq!(waiting, 0);
            0
        });
    }

    #[test]
    fn a_wait_that_nobody_ends_times_out_and_leaves_the_queue() {
        let condvar = RawCondvar::new(0);
        let mutex = RawMutex::new(0);
        mutex.lock();
        let deadline = Deadline::after(Duration::from_millis(5));
        // SAFETY: locked above.
        assert_eq!(unsafe { condvar.wait(&mutex, deadline.as_ref()) }, Waited::TimedOut);
        assert!(!mutex.try_lock());
        assert_eq!(WAITERS.with(condvar.key(), |list| list.of(condvar.key()).count()), 0);
    }

    #[test]
    fn notifies_and_time_outs_that_race_lose_no_thread() {
        let condvar = RawCondvar::new(0);
        let mutex = RawMutex::new(0);
        thread::scope(|scope| {
            let waiters: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        for _ in 0..200 {
                            mutex.lock();
                            let deadline = Deadline::after(Duration::from_micros(50));
                            // SAFETY: just locked, and locked again by the wait.
                            unsafe {
                                condvar.wait(&mutex, deadline.as_ref());
                                mutex.unlock();
                            }
                        }
                    })
                })
                .collect();
            while waiters.iter().any(|waiter| !waiter.is_finished()) {
                condvar.notify(2, |_| 1);
            }
        });
    }
}
