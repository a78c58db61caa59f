//@ rejected: error
//! `OnceLock` may not shorten the lifetime of its contents.

use std::sync::OnceLock;

pub fn shorten<'a>(long: OnceLock<&'static str>) -> OnceLock<&'a str> {
    long
}

pub fn main() {}
