//@ rejected: E0282
//! The contents' type must be known.

pub fn main() {
    let (_sender, receiver) = std::sync::mpsc::channel();
    let _ = receiver.recv();
}
