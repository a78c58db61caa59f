//@ rejected: error
//! `MutexGuard` may not shorten the lifetime of its contents.

use std::sync::MutexGuard;

pub fn shorten<'a>(long: MutexGuard<'a, &'static str>) -> MutexGuard<'a, &'a str> {
    long
}

pub fn main() {}
