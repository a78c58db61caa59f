//@ rejected: E0277
//! A receiver is not shared.

use std::sync::mpsc;

pub fn main() {
    let (_sender, receiver) = mpsc::channel::<u8>();
    std::thread::scope(|scope| {
        scope.spawn(|| receiver.recv());
    });
}
