//@ rejected: E0117
//! std's types stay foreign to a user's crate.

use std::fmt;
use std::sync::Mutex;

impl fmt::Display for Mutex<u8> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("mutex")
    }
}

pub fn main() {}
