//@ rejected: error
//! `JoinHandle` may not shorten the lifetime of its contents.

use std::thread::JoinHandle;

pub fn shorten<'a>(long: JoinHandle<&'static str>) -> JoinHandle<&'a str> {
    long
}

pub fn main() {}
