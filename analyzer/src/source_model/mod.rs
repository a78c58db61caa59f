//! What the sources of a package say of its locks, threads and calls: syntax, resolved as far as names and
//! written types go. No build, no type checker.
//!
//! [`extract`] turns each file into facts, once per content; [`link`] puts the files of a package together;
//! [`types`] and [`places`] say what an expression is and which object it names; [`flow`] follows each function
//! with the guards that it holds, and [`model`] says what calls of it do.
//!
//! Invariant: where something is not known, it is left out; what remains is read as the language means it.

pub mod extract;
pub mod facts;
pub mod flow;
pub mod known_types;
pub mod link;
pub mod load;
pub mod model;
pub mod nesting;
pub mod packages;
pub mod places;
pub mod types;
