//! Traced primitives: an engine's raw ones, plus identity, plus events.
//!
//! Invariants, per operation (the contract is [`snag_trace::event`]):
//! * Uncontended, one event: what was done. An operation that must wait says so (`Request`) before
//!   it blocks, and every `Request` is followed by what ended it.
//! * `Release`, `Send`, `Notify…`, `Unpark`, `OnceEnd` are recorded before their effect, and
//!   `Acquire`, `Receive`, `WaitEnd`, `Join`, `OncePass` after what they saw.
//! * Data, poison and guards are the facade's. The locks inside channels and barriers are raw and
//!   leave no event.
//! * What is polled in vain is recorded once, not each time: a failed `try_` of one lock at one place
//!   until another lock is tried or this one is had, an empty channel until something was sent.
//! * Where nothing is recorded, a primitive does what its raw one does and no more.
//!
//! Every operation takes the place of the call in the user's source, `None` where there is none to
//! name (a guard's drop).

pub mod barrier;
pub mod channel;
pub mod condvar;
pub mod mutex;
pub mod once;
pub mod rwlock;
pub mod scope;
pub mod thread;

pub use barrier::Barrier;
pub use channel::Channel;
pub use condvar::Condvar;
pub use mutex::Mutex;
pub use rwlock::RwLock;
pub use snag_trace::{Kind, Mode, ObjectKind};

use core::cell::Cell;

use crate::recorder::{Place, record};
use snag_trace::Flags;

/// An event without argument.
#[inline]
fn note(kind: Kind, mode: Mode, flags: Flags, object: u32, place: Option<Place>) {
    record(kind, mode, flags, object, place, 0);
}

std::thread_local! {
    /// The lock, and the address of the place, of this thread's last `try_` that failed.
    static TRIED: Cell<(u32, usize)> = const { Cell::new((0, 0)) };
}

/// Records how a `try_` of lock `object` ended.
fn tried(held: bool, mode: Mode, object: u32, place: Option<Place>) {
    if held {
        TRIED.set((0, 0));
        return note(Kind::Acquire, mode, Flags::TRY, object, place);
    }
    let this = (object, place.map_or(0, |place| (&raw const *place).addr()));
    if TRIED.replace(this) != this {
        note(Kind::GiveUp, mode, Flags::TRY, object, place);
    }
}
