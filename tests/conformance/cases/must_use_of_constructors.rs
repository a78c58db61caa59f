//@ rejected: unused_must_use
//! What is of no use unless used says so.

#![deny(unused_must_use)]

use std::sync::{Barrier, Condvar, Once, OnceLock, mpsc};
use std::thread;

pub fn main() {
    Condvar::new();
    Once::new();
    OnceLock::<u8>::new();
    Barrier::new(1);
    mpsc::channel::<u8>();
    mpsc::sync_channel::<u8>(1);
    thread::current();
    thread::Builder::new();
    thread::current().id();
    thread::current().name();
}
