//@ rejected: error
//! `RwLock` may not shorten the lifetime of its contents.

use std::sync::RwLock;

pub fn shorten<'a>(long: RwLock<&'static str>) -> RwLock<&'a str> {
    long
}

pub fn main() {}
