//@ rejected: error
//! `LazyLock` may not shorten the lifetime of its contents.

use std::sync::LazyLock;

pub fn shorten<'a>(long: LazyLock<&'static str>) -> LazyLock<&'a str> {
    long
}

pub fn main() {}
