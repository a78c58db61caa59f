//! The facade crate named `std`.
#![no_std]
extern crate std as real_std;
pub use real_std::*;
