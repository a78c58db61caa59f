//! The facade crate named `std`: the real std, in which synchronisation and threads are snag's.
//!
//! Everything is the real std's but what the modules [`sync`] and [`thread`] shadow. A user's crate
//! that is compiled with a sysroot whose only nameable `std` is this one needs no change.
//!
//! Invariants:
//! * Same API as the real std of the same version: names, const-ness, trait impls, layout, variance,
//!   auto traits, drop check, panics and their messages, `type_name` (hence the module paths).
//! * `#[track_caller]` on every operation, so that what is recorded has the user's place.
//! * Errors, ids, `Arc`, atomics and thread-locals are the real ones; so are all unstable modules.
//! * It knows neither files nor formats: it calls the runtime's traced primitives.
//!
//! How it is built: `--cfg snag_since="1.N"` for every minor version N from 86 up to that of the
//! compiler switches on what that version has stabilised, and `--cfg snag_nightly` what only a
//! nightly compiler has. `docs/facade.md` says what is ours and what passes through.

#![no_std]
#![cfg_attr(
    snag_nightly,
    feature(deadline_api, once_cell_try, once_cell_get_mut, thread_raw, thread_spawn_hook)
)]

extern crate std as real_std;

pub use real_std::*;

pub mod hint;
pub mod sync;
pub mod thread;

mod join_handle_ext;
mod place;

/// What substituted lock crates call.
#[doc(hidden)]
pub use snag_runtime::foreign as __snag;
