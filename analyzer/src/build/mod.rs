//! From a toolchain to a program with the facade under it.
//!
//! Must not know about runs.

pub mod cargo_config;
pub mod invocation;
pub mod project;
pub mod shim;
pub mod sysroot;
pub mod toolchain;
pub mod wrapper;
