//! Programs that race.

use shared::Program;

mod shares_a_box;
mod use_after_free;

/// All of them, by name.
pub const PROGRAMS: &[Program] =
    &[("racy/shares_a_box", shares_a_box::main), ("racy/use_after_free", use_after_free::main)];
