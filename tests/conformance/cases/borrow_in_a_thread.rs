//@ rejected: E0373
//! A thread outside a scope borrows nothing.

pub fn main() {
    let text = String::from("text");
    std::thread::spawn(|| println!("{text}"));
}
