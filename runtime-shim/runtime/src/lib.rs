//! What runs inside a recorded program: the recorder, the engines and the traced primitives.
//!
//! Invariants:
//! * It never judges: it writes down what happens, and the analyzer says what it means.
//! * It never panics into, blocks or changes the user's program; without `SNAG_RUN` in the
//!   environment it does nothing at all.
//! * It depends on the real std and on `snag_trace` only, since it is compiled into other people's
//!   programs.

pub mod engine;
#[cfg(snag_explore)]
pub mod explore;
pub mod foreign;
mod forked;
pub mod identity;
mod ignore;
#[cfg(all(target_arch = "x86_64", target_env = "gnu", not(target_feature = "crt-static")))]
mod interpose;
mod kernel;
#[cfg(any(snag_memory, test))]
mod memory;
mod probe;
pub mod recorder;
pub mod sync;
mod unwind;

/// What of this crate must be set right in a forked child, whose only thread calls this.
fn after_fork_in_child() {
    // SAFETY: called by the only thread of a forked child.
    unsafe {
        engine::current::after_fork_in_child();
        sync::once::after_fork_in_child();
        sync::scope::after_fork_in_child();
        #[cfg(any(snag_memory, test))]
        memory::after_fork_in_child();
    }
}
