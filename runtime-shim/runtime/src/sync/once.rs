//! What is recorded around a once, whose state machine is the real std's.
//!
//! A once that is not complete yet is entered through [`Entry`], which keeps a table of the
//! threads inside, by address. Hence a thread that finds another one there (or itself, in an
//! initialiser that needs its own result) says that it waits before it goes in, although the
//! state machine would not tell whether it will.
//!
//! Invariant: all who are inside at once agree on the object's number. A new object begins where
//! a thread enters alone and finds the once incomplete, since it will run the initialiser.
//!
//! [`pass`] is on the path of every `LazyLock::deref`, so each thread remembers which onces it has
//! recorded as complete, until the next initialiser anywhere begins: a once that comes to lie at a
//! remembered address must be initialised first.
//!
//! Known misses: a complete once that was moved counts as another object.

use super::note;
use crate::engine::current::queue::{Node, Table};
use crate::engine::{What, before};
use crate::recorder::{self, Place, objects};
use core::cell::Cell;
use core::marker::PhantomPinned;
use core::pin::Pin;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::{Acquire, Release};
use snag_trace::{Flags, Kind, Mode, ObjectKind};

static INSIDE: Table = Table::new();

/// Number of initialisers begun.
static BEGUN: AtomicU64 = AtomicU64::new(1);

const REMEMBERED: usize = 32;

std::thread_local! {
    /// Address of a once, and the value of `BEGUN` when it was recorded as complete.
    static PASSED: [Cell<(usize, u64)>; REMEMBERED] = const { [const { Cell::new((0, 0)) }; REMEMBERED] };
}

/// Forgets who was inside, and what was recorded, in the parent.
///
/// # Safety
/// Only in a forked child, before it starts a thread.
pub(crate) unsafe fn after_fork_in_child() {
    BEGUN.fetch_add(1, Release);
    // SAFETY: the caller's promise.
    unsafe { INSIDE.reset() };
}

/// The once at `address` was found complete.
#[cfg_attr(snag_memory, inline(never))]
#[cfg_attr(not(snag_memory), inline)]
pub fn pass(address: usize, place: Option<Place>) {
    if recorder::on() {
        pass_recorded(address, place);
    }
}

fn pass_recorded(address: usize, place: Option<Place>) {
    let now = (address, BEGUN.load(Acquire));
    let known = PASSED.with(|passed| passed[(address >> 2) % REMEMBERED].replace(now) == now);
    if !known {
        let object = objects::by_address(ObjectKind::Once, address, place);
        note(Kind::OncePass, Mode::Once, Flags::NONE, object, place);
    }
}

/// In the note of a node, beside the object's number: this thread only waits.
const WAITS: u64 = 1 << 32;

/// What a thread that is inside intends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// To run the initialiser, unless another thread does.
    Initialise,
    /// To wait until another thread has.
    Wait,
}

/// A thread inside an incomplete once: entered before the real once's call, in whose initialiser
/// [`Entry::run`] is called, and dropped after it. Inert if nothing is recorded.
#[derive(Debug)]
pub struct Entry {
    node: Node,
    object: Cell<u32>,
    entered: Cell<bool>,
    requested: Cell<bool>,
    /// The initialiser ran here.
    ran: Cell<bool>,
    /// The real once's call came back.
    returned: Cell<bool>,
    place: Option<Place>,
    _pinned: PhantomPinned,
}

impl Entry {
    /// For the once at `address`.
    #[must_use]
    pub const fn new(address: usize, place: Option<Place>) -> Entry {
        Entry {
            node: Node::new(address),
            object: Cell::new(0),
            entered: Cell::new(false),
            requested: Cell::new(false),
            ran: Cell::new(false),
            returned: Cell::new(false),
            place,
            _pinned: PhantomPinned,
        }
    }

    /// Goes in. `complete` asks the real once.
    pub fn enter(self: Pin<&Entry>, intent: Intent, mut complete: impl FnMut() -> bool) {
        self.enter_if(intent, &mut complete);
    }

    /// Not generic: see [`crate::ignore`].
    fn enter_if(self: Pin<&Entry>, intent: Intent, complete: &mut dyn FnMut() -> bool) {
        if !recorder::on() || self.entered.replace(true) {
            return;
        }
        let (address, place) = (self.node.key(), self.place);
        before(What::Once, address, place);
        INSIDE.with(address, |list| {
            let object = match list.of(address).next() {
                Some(node) => node.note() as u32,
                None if complete() => objects::by_address(ObjectKind::Once, address, place),
                None => objects::renew(ObjectKind::Once, address, place),
            };
            let waits = intent == Intent::Wait;
            self.object.set(object);
            self.requested.set(waits || list.of(address).any(|node| node.note() & WAITS == 0));
            let note = u64::from(object) | if waits { WAITS } else { 0 };
            // SAFETY: pinned, entered once, and taken out of the list when dropped.
            unsafe { list.push(&self.get_ref().node, note) };
        });
        if self.requested.get() {
            note(Kind::Request, Mode::Once, Flags::NONE, self.object.get(), place);
        }
    }

    /// Runs the initialiser `work`. It has failed if it panics, or if `succeeded` says so.
    pub fn run<R>(&self, work: impl FnOnce() -> R, succeeded: impl FnOnce(&R) -> bool) -> R {
        struct Running<'a>(&'a Entry, Flags);
        impl Drop for Running<'_> {
            fn drop(&mut self) {
                note(Kind::OnceEnd, Mode::Once, self.1, self.0.object.get(), self.0.place);
            }
        }
        if !self.entered.get() {
            return work();
        }
        self.ran.set(true);
        BEGUN.fetch_add(1, Release);
        note(Kind::OnceBegin, Mode::Once, Flags::NONE, self.object.get(), self.place);
        let mut running = Running(self, Flags::PANICKING);
        let result = work();
        running.1 = Flags::PANICKING.when(!succeeded(&result));
        result
    }

    /// The real once's call came back: the once is complete.
    pub fn returned(&self) {
        self.returned.set(true);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if !self.entered.get() {
            return;
        }
        INSIDE.with(self.node.key(), |list| list.remove(&self.node));
        if self.ran.get() {
            return;
        }
        if self.returned.get() {
            note(Kind::OncePass, Mode::Once, Flags::NONE, self.object.get(), self.place);
        } else if self.requested.get() {
            note(Kind::GiveUp, Mode::Once, Flags::NONE, self.object.get(), self.place);
        }
    }
}
