//! A reader-writer lock in one word, with std's preference: a waiting writer keeps new readers out.
//!
//! The preference is part of a program's meaning (a second `read` of one thread deadlocks when a
//! writer waits between), so it is exactly that of std's futex lock. What differs is inside:
//! readers and writers sleep on the same word, told apart by the bit set of their waits.
//!
//! Invariant: a sleeping reader is announced by [`READERS_WAIT`] and a sleeping writer by
//! [`WRITERS_WAIT`]. Whoever frees the lock clears the bit of those it wakes; a writer that has
//! once announced itself sets the bit again when it gets the lock, as others may still sleep.

use super::futex;
use core::hint::spin_loop;
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Number of readers, or [`WRITER`].
const HOLDERS: u32 = (1 << 30) - 1;
const WRITER: u32 = HOLDERS;
const MOST_READERS: u32 = HOLDERS - 1;
const READERS_WAIT: u32 = 1 << 30;
const WRITERS_WAIT: u32 = 1 << 31;

const READER_BITS: u32 = 1;
const WRITER_BITS: u32 = 2;
/// Nothing changes while one controlled thread spins.
const SPINS: u32 = if cfg!(snag_explore) { 1 } else { 100 };

/// A reader-writer lock without data, poison or record.
#[derive(Debug)]
#[repr(transparent)]
pub struct RawRwLock {
    state: AtomicU32,
}

const fn holders(state: u32) -> u32 {
    state & HOLDERS
}

/// Nobody is asleep either: a free lock whose bits are set is about to be handed on.
const fn admits_reader(state: u32) -> bool {
    state < MOST_READERS
}

/// After a downgrade, readers that were asleep go in together, waiting writers or not.
const fn admits_woken_reader(state: u32) -> bool {
    let readers = holders(state);
    readers > 0 && readers < MOST_READERS && state & READERS_WAIT == 0
}

impl Default for RawRwLock {
    fn default() -> RawRwLock {
        RawRwLock::new()
    }
}

impl RawRwLock {
    /// A free lock.
    #[inline]
    #[must_use]
    pub const fn new() -> RawRwLock {
        RawRwLock { state: AtomicU32::new(0) }
    }

    /// Takes a shared hold if that needs no wait.
    #[inline]
    #[must_use]
    pub fn try_read(&self) -> bool {
        let mut state = self.state.load(Relaxed);
        while admits_reader(state) {
            match self.state.compare_exchange_weak(state, state + 1, Acquire, Relaxed) {
                Ok(_) => return true,
                Err(now) => state = now,
            }
        }
        false
    }

    /// Takes the exclusive hold if that needs no wait.
    #[inline]
    #[must_use]
    pub fn try_write(&self) -> bool {
        let mut state = self.state.load(Relaxed);
        while holders(state) == 0 {
            match self.state.compare_exchange_weak(state, state | WRITER, Acquire, Relaxed) {
                Ok(_) => return true,
                Err(now) => state = now,
            }
        }
        false
    }

    /// Takes a shared hold after [`RawRwLock::try_read`] has failed.
    ///
    /// # Panics
    /// As std does, when there are 2^30 - 2 readers.
    #[cold]
    #[track_caller]
    pub fn read_contended(&self) {
        let mut slept = false;
        let mut state = self.spin(|state| holders(state) != WRITER || state > HOLDERS);
        loop {
            if admits_reader(state) || (slept && admits_woken_reader(state)) {
                match self.state.compare_exchange_weak(state, state + 1, Acquire, Relaxed) {
                    Ok(_) => return,
                    Err(now) => state = now,
                }
                continue;
            }
            assert!(holders(state) != MOST_READERS, "too many active read locks on RwLock");
            if let Err(now) = self.announce(state, READERS_WAIT) {
                state = now;
                continue;
            }
            futex::wait(&self.state, state | READERS_WAIT, READER_BITS, None);
            slept = true;
            state = self.spin(|state| holders(state) != WRITER || state > HOLDERS);
        }
    }

    /// Takes the exclusive hold after [`RawRwLock::try_write`] has failed.
    #[cold]
    pub fn write_contended(&self) {
        let mut others = 0;
        let mut state = self.spin(|state| holders(state) == 0 || state & WRITERS_WAIT != 0);
        loop {
            if holders(state) == 0 {
                match self.state.compare_exchange_weak(state, state | WRITER | others, Acquire, Relaxed) {
                    Ok(_) => return,
                    Err(now) => state = now,
                }
                continue;
            }
            if let Err(now) = self.announce(state, WRITERS_WAIT) {
                state = now;
                continue;
            }
            others = WRITERS_WAIT;
            futex::wait(&self.state, state | WRITERS_WAIT, WRITER_BITS, None);
            state = self.spin(|state| holders(state) == 0 || state & WRITERS_WAIT != 0);
        }
    }

    /// Sets a waiting bit in `state`, unless the state has changed meanwhile.
    fn announce(&self, state: u32, bit: u32) -> Result<(), u32> {
        if state & bit != 0 {
            return Ok(());
        }
        self.state.compare_exchange(state, state | bit, Relaxed, Relaxed).map(|_| ())
    }

    fn spin(&self, enough: impl Fn(u32) -> bool) -> u32 {
        for _ in 0..SPINS {
            let state = self.state.load(Relaxed);
            if enough(state) {
                return state;
            }
            spin_loop();
        }
        self.state.load(Relaxed)
    }

    /// Gives a shared hold up.
    ///
    /// # Safety
    /// The caller has one.
    #[inline]
    pub unsafe fn read_unlock(&self) {
        let state = self.state.fetch_sub(1, Release) - 1;
        if holders(state) == 0 && state & WRITERS_WAIT != 0 {
            self.hand_on(state);
        }
    }

    /// Gives the exclusive hold up.
    ///
    /// # Safety
    /// The caller has it.
    #[inline]
    pub unsafe fn write_unlock(&self) {
        let state = self.state.fetch_sub(WRITER, Release) - WRITER;
        if state != 0 {
            self.hand_on(state);
        }
    }

    /// Makes the exclusive hold a shared one, letting the readers in that wait already.
    ///
    /// # Safety
    /// The caller has the exclusive hold.
    #[inline]
    pub unsafe fn downgrade(&self) {
        let state = self.state.fetch_sub(WRITER - 1, Release);
        if state & READERS_WAIT != 0 {
            // Only we, still a holder, may clear the bit.
            self.state.fetch_and(!READERS_WAIT, Relaxed);
            futex::wake((&raw const self.state).addr(), i32::MAX, READER_BITS);
        }
    }

    /// Wakes a writer, or else all readers, of a lock just freed with waiting bits. A thread that
    /// takes the lock meanwhile inherits the duty.
    #[cold]
    fn hand_on(&self, mut state: u32) {
        while holders(state) == 0 && state != 0 {
            let wakes_writer = state & WRITERS_WAIT != 0;
            let rest = if wakes_writer { state & !WRITERS_WAIT } else { 0 };
            if let Err(now) = self.state.compare_exchange(state, rest, Relaxed, Relaxed) {
                state = now;
                continue;
            }
            if !wakes_writer {
                futex::wake((&raw const self.state).addr(), i32::MAX, READER_BITS);
                return;
            }
            // A writer that had announced itself may not be asleep after all: then it is awake and
            // needs no wake, and the readers must not be left behind.
            if futex::wake((&raw const self.state).addr(), 1, WRITER_BITS) > 0 || rest == 0 {
                return;
            }
            state = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::UnsafeCell;
    use std::sync::atomic::AtomicBool;
    use std::thread;
    use std::time::Duration;

    struct Pair(RawRwLock, UnsafeCell<(u64, u64)>);
    // SAFETY: the cell is only touched under the lock.
    unsafe impl Sync for Pair {}

    #[test]
    fn writers_exclude_everyone_and_no_wake_is_lost() {
        let pair = Pair(RawRwLock::new(), UnsafeCell::new((0, 0)));
        let pair = &pair;
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..30_000 {
                        if !pair.0.try_write() {
                            pair.0.write_contended();
                        }
                        // SAFETY: held exclusively.
                        unsafe {
                            (*pair.1.get()).0 += 1;
                            (*pair.1.get()).1 += 1;
                            pair.0.write_unlock();
                        }
                    }
                });
                scope.spawn(|| {
                    for _ in 0..30_000 {
                        if !pair.0.try_read() {
                            pair.0.read_contended();
                        }
                        // SAFETY: held shared.
                        unsafe {
                            let (left, right) = *pair.1.get();
                            assert_eq!(left, right);
                            pair.0.read_unlock();
                        }
                    }
                });
            }
        });
        // SAFETY: all threads have ended.
        assert_eq!(unsafe { *pair.1.get() }, (90_000, 90_000));
        assert_eq!(pair.0.state.load(Relaxed), 0);
    }

    #[test]
    fn a_waiting_writer_keeps_new_readers_out() {
        let lock = RawRwLock::new();
        assert!(lock.try_read());
        thread::scope(|scope| {
            scope.spawn(|| {
                assert!(!lock.try_write());
                lock.write_contended();
                // SAFETY: just taken.
                unsafe { lock.write_unlock() };
            });
            while lock.state.load(Relaxed) & WRITERS_WAIT == 0 {
                thread::yield_now();
            }
            assert!(!lock.try_read());
            // SAFETY: taken above.
            unsafe { lock.read_unlock() };
        });
        assert!(lock.try_read());
    }

    #[test]
    fn a_downgrade_lets_sleeping_readers_in_beside_a_waiting_writer() {
        let lock = RawRwLock::new();
        let written = AtomicBool::new(false);
        assert!(lock.try_write());
        thread::scope(|scope| {
            let reader = scope.spawn(|| {
                lock.read_contended();
                assert!(!written.load(Relaxed));
                // SAFETY: just taken.
                unsafe { lock.read_unlock() };
            });
            scope.spawn(|| {
                lock.write_contended();
                written.store(true, Relaxed);
                // SAFETY: just taken.
                unsafe { lock.write_unlock() };
            });
            while lock.state.load(Relaxed) & (READERS_WAIT | WRITERS_WAIT) != READERS_WAIT | WRITERS_WAIT {
                thread::yield_now();
            }
            thread::sleep(Duration::from_millis(20));
            // SAFETY: held exclusively.
            unsafe { lock.downgrade() };
            reader.join().expect("the reader saw no write");
            // SAFETY: held shared since the downgrade.
            unsafe { lock.read_unlock() };
        });
    }
}
