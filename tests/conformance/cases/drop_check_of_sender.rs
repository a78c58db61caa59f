//@ rejected: E0597
//! What has a destructor of its own may not outlive what it borrows.

use std::sync::mpsc;

pub fn main() {
    let value;
    let text = String::from("text");
    value = {
        let (sender, _receiver) = mpsc::channel();
        let _ = sender.send(text.as_str());
        sender
    };
    let _ = &value;
}
