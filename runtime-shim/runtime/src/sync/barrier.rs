//! A traced barrier: a raw lock, a raw condvar and a count of arrivals.

use crate::engine::current::{RawCondvar, RawMutex};
use crate::engine::{What, before};
use crate::identity;
use crate::recorder::{self, Place, record};
use core::cell::UnsafeCell;
use core::sync::atomic::AtomicU32;
use snag_trace::{Flags, Kind, Mode, ObjectKind};

#[derive(Debug)]
struct Arrivals {
    count: usize,
    generation: usize,
}

/// A barrier for a fixed number of threads.
#[derive(Debug)]
pub struct Barrier {
    lock: RawMutex,
    turn: RawCondvar,
    identity: AtomicU32,
    arrivals: UnsafeCell<Arrivals>,
    threads: usize,
}

// SAFETY: the arrivals are only touched under the lock.
unsafe impl Sync for Barrier {}

impl Barrier {
    /// A barrier for `threads` threads, born where this is called.
    #[inline]
    #[must_use]
    #[track_caller]
    pub const fn new(threads: usize) -> Barrier {
        Barrier {
            lock: RawMutex::new(0),
            turn: RawCondvar::new(0),
            identity: AtomicU32::new(identity::newborn()),
            arrivals: UnsafeCell::new(Arrivals { count: 0, generation: 0 }),
            threads,
        }
    }

    fn note(&self, kind: Kind, mode: Mode, generation: usize, place: Option<Place>) {
        if recorder::on() {
            let address = (&raw const *self).addr();
            let object = identity::of(&self.identity, ObjectKind::Barrier, address, place);
            record(kind, mode, Flags::NONE, object, place, generation as u64);
        }
    }

    /// The current generation; only with the lock held.
    fn generation(&self) -> usize {
        // SAFETY: locked.
        unsafe { (*self.arrivals.get()).generation }
    }

    /// Waits until all have arrived. True in the last to arrive.
    pub fn wait(&self, place: Option<Place>) -> bool {
        before(What::Barrier, (&raw const *self).addr(), place);
        self.lock.lock();
        let arrivals = self.arrivals.get();
        let generation = self.generation();
        self.note(Kind::BarrierArrive, Mode::Barrier, generation, place);
        // SAFETY: locked, and no reference outlives a statement.
        let last = unsafe {
            (*arrivals).count += 1;
            (*arrivals).count >= self.threads
        };
        if last {
            // SAFETY: as above.
            unsafe {
                (*arrivals).count = 0;
                (*arrivals).generation = generation.wrapping_add(1);
            }
            self.turn.notify(usize::MAX, |_| 0);
        } else {
            self.note(Kind::Request, Mode::Barrier, generation, place);
            while self.generation() == generation {
                // SAFETY: locked.
                unsafe { self.turn.wait(&self.lock, None) };
            }
        }
        // SAFETY: locked above.
        unsafe { self.lock.unlock() };
        self.note(Kind::BarrierLeave, Mode::Barrier, generation, place);
        last
    }
}
