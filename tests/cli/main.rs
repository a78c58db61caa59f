//! The command line as a user meets it: what passes through, what an exit code says, and one clear
//! error for everything that snag cannot work with. See docs/exit-codes.md.

mod analyze;
mod bad_input;
mod cargo;
mod endings;
mod explore;
mod memory;
mod project;
mod signals;
