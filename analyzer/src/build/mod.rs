//! From a toolchain to a program with the facade under it.
//!
//! Must not know about runs.

pub mod cargo_config;
pub mod instrumentation;
pub mod invocation;
pub mod linking;
pub mod mode;
pub mod project;
pub mod shim;
pub mod std_bitcode;
pub mod sysroot;
pub mod toolchain;
pub mod wrapper;
