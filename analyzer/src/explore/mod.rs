//! Exploring schedules: between runs, never inside one.
//!
//! The explored process chooses who runs; what is here tells it which strategy to use, collects what
//! failed, makes the schedule small, and keeps it.

pub mod control;
pub mod filter;
pub mod interleaving;
pub mod job;
pub mod minimise;
pub mod schedule;
pub mod search;
pub mod server;
