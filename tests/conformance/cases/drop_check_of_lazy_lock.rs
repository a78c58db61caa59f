//@ rejected: E0597
//! What has a destructor of its own may not outlive what it borrows.

use std::sync::LazyLock;

pub fn main() {
    let value;
    let text = String::from("text");
    value = LazyLock::new(|| text.as_str());
    let _ = &value;
}
