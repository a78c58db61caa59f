//! Traced primitives: an engine's raw ones, plus identity, plus events.
//!
//! Invariants, per operation (the contract is [`snag_trace::event`]):
//! * Uncontended, one event: what was done. An operation that must wait says so (`Request`) before
//!   it blocks, and every `Request` is followed by what ended it.
//! * `Release`, `Send`, `Notify…`, `Unpark`, `OnceEnd` are recorded before their effect, and
//!   `Acquire`, `Receive`, `WaitEnd`, `Join`, `OncePass` after what they saw.
//! * Data, poison and guards are the facade's. The locks inside channels and barriers are raw and
//!   leave no event.
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

use crate::recorder::{Place, record};
use snag_trace::Flags;

/// An event without argument.
#[inline]
fn note(kind: Kind, mode: Mode, flags: Flags, object: u32, place: Option<Place>) {
    record(kind, mode, flags, object, place, 0);
}
