//! A traced channel: many senders, one receiver, and a queue that is unbounded, bounded, or empty
//! by rule (a rendezvous).
//!
//! Invariants:
//! * Messages leave in the order in which they came, so that both ends number them alike.
//! * A rendezvous is a queue with room for one message exactly while the receiver waits. Once it
//!   has got one, the receiver takes it, even if its time is over.
//! * Values are dropped with the lock free: they may hold a handle of the same channel.
//! * A poll that finds the channel as the last poll found it is not recorded again.
//!
//! Source of the semantics: std's own `mpsc` (disconnection, what is dropped when, priorities).

use crate::engine::current::{Deadline, RawCondvar, RawMutex, Waited};
use crate::engine::{What, before, changed};
use crate::identity;
use crate::ignore::Ignored;
use crate::recorder::{self, Place, record};
use core::cell::UnsafeCell;
use core::mem;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::AtomicU32;
use core::time::Duration;
use snag_trace::{Flags, Kind, Mode, ObjectKind};
use std::collections::VecDeque;

/// Why a message was not sent, and the message.
#[derive(Debug)]
pub enum Refused<T> {
    /// The queue is full, and the caller would not wait.
    Full(T),
    /// The receiver is gone.
    Disconnected(T),
}

impl<T> Refused<T> {
    /// The message.
    pub fn into_inner(self) -> T {
        let (Refused::Full(value) | Refused::Disconnected(value)) = self;
        value
    }
}

/// Why no message was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nothing {
    /// The queue is empty, and the caller would not wait, or not longer.
    Empty,
    /// The queue is empty and all senders are gone.
    Disconnected,
}

/// How long an operation waits.
#[derive(Clone, Copy, Debug)]
pub enum Patience {
    /// Not at all.
    None,
    /// For this long.
    Time(Duration),
    /// For ever.
    Endless,
}

#[derive(Debug)]
struct State<T> {
    queue: VecDeque<T>,
    sent: u64,
    received: u64,
    senders: usize,
    has_receiver: bool,
    receiver_waits: bool,
    senders_waiting: usize,
    /// `sent + 1` when a poll last found nothing, `received + 1` when one last found no room.
    found_empty: u64,
    found_full: u64,
}

/// What the handles of one channel share.
#[derive(Debug)]
pub struct Channel<T> {
    identity: AtomicU32,
    lock: RawMutex,
    arrival: RawCondvar,
    room: RawCondvar,
    /// `None` if unbounded.
    bound: Option<usize>,
    state: UnsafeCell<State<T>>,
}

// SAFETY: the state is only touched under the lock; the handles say what of `T` they need.
unsafe impl<T> Send for Channel<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Channel<T> {}
impl<T> std::panic::RefUnwindSafe for Channel<T> {}
impl<T> std::panic::UnwindSafe for Channel<T> {}

/// The state, locked. What is done with it is this module's business alone.
struct Locked<'a, T>(&'a Channel<T>, Ignored);

/// Wakes waiters. Not generic: see [`crate::ignore`].
#[inline(never)]
fn wake(condvar: &RawCondvar, most: usize) {
    condvar.notify(most, |_| 0);
}

impl<T> Deref for Locked<'_, T> {
    type Target = State<T>;
    fn deref(&self) -> &State<T> {
        // SAFETY: locked.
        unsafe { &*self.0.state.get() }
    }
}

impl<T> DerefMut for Locked<'_, T> {
    fn deref_mut(&mut self) -> &mut State<T> {
        // SAFETY: locked, and `self` is the only way to the state.
        unsafe { &mut *self.0.state.get() }
    }
}

impl<T> Drop for Locked<'_, T> {
    fn drop(&mut self) {
        // SAFETY: locked by `Channel::lock`.
        unsafe { self.0.lock.unlock() };
    }
}

impl<T> Locked<'_, T> {
    fn wait(&mut self, condvar: &RawCondvar, deadline: Option<&Deadline>) -> Waited {
        // SAFETY: locked, and locked again afterwards.
        unsafe { condvar.wait(&self.0.lock, deadline) }
    }

    fn has_room(&self) -> bool {
        match self.0.bound {
            None => true,
            Some(0) => self.receiver_waits && self.queue.is_empty(),
            Some(bound) => self.queue.len() < bound,
        }
    }

    fn is_rendezvous(&self) -> bool {
        self.0.bound == Some(0)
    }
}

impl<T> Channel<T> {
    /// A channel with one sender and one receiver, born where this is called; unbounded if `bound`
    /// is `None`.
    #[must_use]
    #[track_caller]
    pub fn new(bound: Option<usize>) -> Channel<T> {
        Channel {
            identity: AtomicU32::new(identity::newborn()),
            lock: RawMutex::new(0),
            arrival: RawCondvar::new(0),
            room: RawCondvar::new(0),
            bound,
            state: UnsafeCell::new(State {
                queue: VecDeque::new(),
                sent: 0,
                received: 0,
                senders: 1,
                has_receiver: true,
                receiver_waits: false,
                senders_waiting: 0,
                found_empty: 0,
                found_full: 0,
            }),
        }
    }

    #[inline]
    fn locked(&self, place: Option<Place>) -> Locked<'_, T> {
        before(What::Channel, (&raw const *self).addr(), place);
        let ignored = Ignored::new();
        self.lock.lock();
        Locked(self, ignored)
    }

    #[inline]
    fn note(&self, kind: Kind, mode: Mode, flags: Flags, place: Option<Place>, arg: u64) {
        if recorder::on() {
            record(kind, mode, flags, self.object(place), place, arg);
        }
    }

    #[inline]
    fn object(&self, place: Option<Place>) -> u32 {
        let address = (&raw const *self).addr();
        identity::of(&self.identity, ObjectKind::Channel, address, place)
    }

    /// The receiver has made room for message `number`, of a channel that is bounded.
    #[inline]
    fn room_given(&self, number: u64, place: Option<Place>) {
        #[cfg(any(snag_memory, test))]
        if self.bound.is_some() && recorder::on() {
            crate::memory::room_given(self.object(place), number);
        }
        let _ = (number, place);
    }

    /// Message `number` takes the room that was made for it.
    #[inline]
    fn room_taken(&self, number: u64, place: Option<Place>) {
        #[cfg(any(snag_memory, test))]
        if self.bound.is_some() && recorder::on() {
            crate::memory::room_taken(self.object(place), number);
        }
        let _ = (number, place);
    }

    /// Sends `value`, waiting for room if `waits`.
    ///
    /// # Errors
    /// The value comes back if there is no receiver, or no room and `waits` is false.
    pub fn send(&self, value: T, waits: bool, place: Option<Place>) -> Result<(), Refused<T>> {
        let mut state = self.locked(place);
        let mut requested = false;
        loop {
            if !state.has_receiver {
                self.note(Kind::Disconnected, Mode::Send, Flags::NONE, place, 0);
                drop(state);
                return Err(Refused::Disconnected(value));
            }
            if state.has_room() {
                break;
            }
            if !waits {
                let found = state.received + 1;
                if mem::replace(&mut state.found_full, found) != found {
                    self.note(Kind::ChannelGiveUp, Mode::Send, Flags::TRY, place, 0);
                }
                drop(state);
                return Err(Refused::Full(value));
            }
            if !mem::replace(&mut requested, true) {
                self.note(Kind::Request, Mode::Send, Flags::NONE, place, 0);
            }
            state.senders_waiting += 1;
            state.wait(&self.room, None);
            state.senders_waiting -= 1;
        }
        state.sent += 1;
        changed();
        self.room_taken(state.sent, place);
        self.note(Kind::Send, Mode::None, Flags::TRY.when(!waits), place, state.sent);
        state.queue.push_back(value);
        let wakes = state.receiver_waits;
        drop(state);
        if wakes {
            wake(&self.arrival, 1);
        }
        Ok(())
    }

    /// Takes the oldest message, waiting for one.
    ///
    /// # Errors
    /// If there is none, at once or in time, or never will be.
    pub fn receive(&self, patience: Patience, place: Option<Place>) -> Result<T, Nothing> {
        let (deadline, flags) = match patience {
            Patience::Time(time) => (Deadline::after(time), Flags::TIMED),
            Patience::None => (None, Flags::TRY),
            Patience::Endless => (None, Flags::NONE),
        };
        let mut state = self.locked(place);
        let (mut requested, mut timed_out) = (false, false);
        loop {
            if let Some(value) = state.queue.pop_front() {
                self.received(state, flags, place);
                return Ok(value);
            }
            if state.senders == 0 {
                self.note(Kind::Disconnected, Mode::Receive, flags, place, 0);
                return Err(Nothing::Disconnected);
            }
            // A sender that waits at a rendezvous has a message in its hand.
            let meets = state.is_rendezvous() && state.senders_waiting > 0;
            let waits = !matches!(patience, Patience::None) || meets;
            if timed_out || !waits {
                self.found_empty(state, flags, timed_out, place);
                return Err(Nothing::Empty);
            }
            if !mem::replace(&mut requested, true) {
                self.note(Kind::Request, Mode::Receive, flags, place, 0);
            }
            state.receiver_waits = true;
            if state.is_rendezvous() {
                self.room_given(state.sent + 1, place);
            }
            if meets {
                wake(&self.room, 1);
            }
            timed_out = state.wait(&self.arrival, deadline.as_ref()) == Waited::TimedOut;
            state.receiver_waits = false;
        }
    }

    /// After a message was taken out of the queue.
    fn received(&self, mut state: Locked<'_, T>, flags: Flags, place: Option<Place>) {
        state.received += 1;
        changed();
        self.note(Kind::Receive, Mode::None, flags, place, state.received);
        if !state.is_rendezvous() {
            self.room_given(state.received + self.bound.unwrap_or(0) as u64, place);
        }
        let wakes = state.senders_waiting > 0 && !state.is_rendezvous();
        // Give back what a burst needed.
        let drained = state.queue.is_empty() && state.queue.capacity() > 4096 && self.bound.is_none();
        let buffer = if drained { mem::take(&mut state.queue) } else { VecDeque::new() };
        drop(state);
        drop(buffer);
        if wakes {
            wake(&self.room, 1);
        }
    }

    fn found_empty(&self, mut state: Locked<'_, T>, flags: Flags, timed_out: bool, place: Option<Place>) {
        let found = state.sent + 1;
        if mem::replace(&mut state.found_empty, found) != found || timed_out {
            let flags = flags.and(Flags::TIMED_OUT.when(timed_out));
            self.note(Kind::ChannelGiveUp, Mode::Receive, flags, place, 0);
        }
    }

    /// One more sending handle.
    pub fn add_sender(&self, place: Option<Place>) {
        let mut state = self.locked(place);
        state.senders += 1;
        self.note(Kind::SenderNew, Mode::None, Flags::NONE, place, state.senders as u64);
    }

    /// One sending handle less.
    pub fn remove_sender(&self, place: Option<Place>) {
        let mut state = self.locked(place);
        state.senders -= 1;
        self.note(Kind::SenderEnd, Mode::None, Flags::NONE, place, state.senders as u64);
        let closes = state.senders == 0;
        if closes && !state.has_receiver {
            self.note(Kind::ObjectEnd, Mode::None, Flags::NONE, place, 0);
        }
        let wakes = closes && state.receiver_waits;
        drop(state);
        if wakes {
            wake(&self.arrival, 1);
        }
    }

    /// The receiving handle goes, and what is in the queue with it.
    pub fn remove_receiver(&self, place: Option<Place>) {
        let mut state = self.locked(place);
        state.has_receiver = false;
        self.note(Kind::ReceiverEnd, Mode::None, Flags::NONE, place, 0);
        if state.senders == 0 {
            self.note(Kind::ObjectEnd, Mode::None, Flags::NONE, place, 0);
        }
        let unread = mem::take(&mut state.queue);
        drop(state);
        wake(&self.room, usize::MAX);
        drop(unread);
    }

    /// Whether the other end is gone, as `is_disconnected` of both handles asks.
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        let state = self.locked(None);
        !state.has_receiver || state.senders == 0
    }
}
