//@ rejected: error
//! `mpsc::Sender` may not shorten the lifetime of its contents.

use std::sync::mpsc;

pub fn shorten<'a>(long: mpsc::Sender<&'static str>) -> mpsc::Sender<&'a str> {
    long
}

pub fn main() {}
