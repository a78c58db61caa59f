//@ rejected: E0373
//! What a scope lends does not leave it.

pub fn main() {
    std::thread::scope(|scope| {
        let text = String::from("text");
        scope.spawn(|| println!("{text}"));
    });
}
