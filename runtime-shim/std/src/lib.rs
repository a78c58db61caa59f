//! The facade crate named `std`.
#![no_std]
extern crate std as real_std;
pub use real_std::*;

/// What the substituted sources of lock crates call.
#[doc(hidden)]
pub mod __snag {
    pub use snag_runtime::foreign::*;
}
