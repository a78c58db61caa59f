//! The source model.
pub mod extract;
pub mod facts;
pub mod nesting;
