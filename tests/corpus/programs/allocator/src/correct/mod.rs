//! Programs without a race.

use shared::Program;

mod allocations_travel;

/// All of them, by name.
pub const PROGRAMS: &[Program] = &[("correct/allocations_travel", allocations_travel::main)];
