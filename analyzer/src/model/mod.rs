//! Events in, relations out: what happened, what had to happen before what, who waits for whom.
//!
//! Invariant: nothing here does I/O, prints, or knows a rule. Each module names its source, what it
//! deviates from and what it misses.

pub mod clocks;
pub mod crossing;
pub mod execution;
#[cfg(test)]
pub mod family_script;
pub mod family_standstill;
pub mod flow;
pub mod forks;
pub mod guards;
pub mod happens_before;
pub mod lock_graph;
pub mod memory;
pub mod modes;
pub mod names;
pub mod processes;
#[cfg(test)]
pub mod script;
pub mod sections;
pub mod shared_memory;
pub mod shared_sections;
pub mod standstill;
pub mod sync_preserving;
pub mod uses;
pub mod wait_for;
