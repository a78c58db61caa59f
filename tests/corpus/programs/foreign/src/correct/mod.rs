//! Programs without a race.

use shared::Program;

mod c_in_between;

/// All of them, by name.
pub const PROGRAMS: &[Program] = &[("correct/c_in_between", c_in_between::main)];
