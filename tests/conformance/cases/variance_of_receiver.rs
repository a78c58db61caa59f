//@ rejected: error
//! `mpsc::Receiver` may not shorten the lifetime of its contents.

use std::sync::mpsc;

pub fn shorten<'a>(long: mpsc::Receiver<&'static str>) -> mpsc::Receiver<&'a str> {
    long
}

pub fn main() {}
