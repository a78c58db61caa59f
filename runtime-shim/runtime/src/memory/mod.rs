//! The memory layer: every memory access of an instrumented program, checked for data races while it
//! runs.
//!
//! Happens-before is kept in vector clocks ([`clock`]) of at most 256 slots ([`slots`]); an access is
//! racing if a conflicting earlier one, remembered in shadow memory ([`layout`]), is not yet in the
//! clock of its thread. It is FastTrack's rule over four cells per granule, as ThreadSanitizer has it.
//!
//! Invariants:
//! * Nothing is reported that happens-before orders (C++20's, and what a recorded operation promises).
//!   Whatever must be forgotten is forgotten as if it were ordered.
//! * No heap, no lock of libc's: it may be called before `main`, in allocators, in signal handlers and
//!   in thread-local destructors.
//! * While nothing is recorded, [`thread::current`] is null and nothing is checked; the planes are
//!   mapped all the same, since instrumented code looks at them unasked.
//!
//! Source: FastTrack (Flanagan and Freund, 2009); the ABI of LLVM's `tsan` pass.
//!
//! Known misses: threads that something else than `pthread_create` starts are not seen; an interrupted
//! operation of the layer makes those of the signal's handler unseen.

#![cfg_attr(not(snag_memory), expect(dead_code, reason = "most of it is called by instrumented code only"))]

#[cfg(snag_memory)]
mod abi;
mod access;
mod arena;
#[cfg(snag_memory)]
mod atomics;
mod block;
mod cells;
mod clock;
mod context;
mod counts;
mod history;
mod kernel;
mod layout;
mod lock;
mod maps;
mod place;
mod sample;
mod start;
mod sync_var;
mod thread;
mod unwind;
mod verdict;
mod word;
