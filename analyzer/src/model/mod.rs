//! Events in, relations out: what happened, what had to happen before what, who waits for whom.
//!
//! Invariant: nothing here does I/O, prints, or knows a rule. Each module names its source, what it
//! deviates from and what it misses.

pub mod execution;
pub mod modes;
pub mod names;
pub mod wait_for;
