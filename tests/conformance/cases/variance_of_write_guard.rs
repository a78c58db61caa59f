//@ rejected: error
//! `RwLockWriteGuard` may not shorten the lifetime of its contents.

use std::sync::RwLockWriteGuard;

pub fn shorten<'a>(long: RwLockWriteGuard<'a, &'static str>) -> RwLockWriteGuard<'a, &'a str> {
    long
}

pub fn main() {}
