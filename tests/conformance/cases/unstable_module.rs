//@ rejected: E0425 E0603 E0658
//! An unstable item stays out of reach.

pub fn main() {
    let _ = std::thread::current_id();
}
