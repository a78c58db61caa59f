//! Panics inside std's calls carry the message that std gives them.

use std::panic;
use std::sync::{Mutex, Once, mpsc};

fn message(work: impl FnOnce() + panic::UnwindSafe) -> String {
    let error = panic::catch_unwind(work).unwrap_err();
    match error.downcast_ref::<&str>() {
        Some(text) => (*text).into(),
        None => error.downcast_ref::<String>().cloned().unwrap_or_default(),
    }
}

pub fn main() {
    let mutex = Mutex::new(1);
    let _ = panic::catch_unwind(|| {
        let _guard = mutex.lock();
        panic!("poison");
    });
    println!("{}", message(|| drop(mutex.lock().unwrap())));
    println!("{}", message(|| drop(mutex.try_lock().unwrap())));
    let (sender, receiver) = mpsc::channel::<u8>();
    drop(sender);
    println!("{}", message(move || drop(receiver.recv().unwrap())));
    let (sender, receiver) = mpsc::channel::<u8>();
    drop(receiver);
    println!("{}", message(move || sender.send(1).unwrap()));
    let once = Once::new();
    println!("{}", message(|| once.call_once(|| panic!("initialiser"))));
    println!("{}", message(|| once.call_once(|| ())));
    println!("{}", message(|| once.wait()));
}
