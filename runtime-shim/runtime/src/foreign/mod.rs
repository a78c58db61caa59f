//! Hooks for the substituted sources of lock crates: what `lock_api` and `parking_lot` call, through
//! the facade's hidden `std::__snag`, when `cargo snag` has rewritten them.
//!
//! Invariants:
//! * A lock is tried first; only one that must wait announces itself.
//! * What a hook wraps is done exactly once, whether or not anything is recorded.
//! * A lock whose raw part was handed out ([`LockTag::expose`]) is no longer followed, since it can
//!   be locked and unlocked behind our back; it is left out rather than half seen.
//!
//! Known misses: code that uses `parking_lot_core::park` directly, and locks after `expose`.

mod condvar;
mod lock;
mod once;

pub use condvar::{CondvarTag, Notify, Waiter};
pub use lock::LockTag;
pub use once::{OnceCall, once_pass};
pub use snag_trace::{Flags, Mode, ObjectKind};

pub use crate::recorder::Place;
