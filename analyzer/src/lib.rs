//! The analyzer's side of snag: builds, runs, models, detectors, reporters and the command line.
//!
//! See docs/architecture.md for the parts and for what each must not know.

pub mod build;
pub mod cli;
pub mod commands;
pub mod config;
pub mod detectors;
pub mod error;
pub mod explain;
pub mod explore;
pub mod finding;
pub mod gate;
pub mod lints;
pub mod model;
pub mod names;
pub mod overlay;
pub mod reporters;
pub mod run;
pub mod source_model;
pub mod sources;
