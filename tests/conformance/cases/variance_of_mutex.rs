//@ rejected: error
//! `Mutex` may not shorten the lifetime of its contents.

use std::sync::Mutex;

pub fn shorten<'a>(long: Mutex<&'static str>) -> Mutex<&'a str> {
    long
}

pub fn main() {}
