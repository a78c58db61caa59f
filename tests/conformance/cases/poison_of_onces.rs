//! A panicking initialiser poisons a once and a lazy value, not a cell.

use std::panic;
use std::sync::{LazyLock, Once, OnceLock};
use std::thread;

fn message(result: thread::Result<()>) -> String {
    match result {
        Ok(()) => "fine".into(),
        Err(error) => match error.downcast_ref::<&str>() {
            Some(text) => (*text).into(),
            None => error.downcast_ref::<String>().cloned().unwrap_or_default(),
        },
    }
}

pub fn main() {
    let once = Once::new();
    println!("{}", message(panic::catch_unwind(|| once.call_once(|| panic!("first")))));
    println!("{} {}", once.is_completed(), message(panic::catch_unwind(|| once.call_once(|| ()))));
    once.call_once_force(|state| println!("poisoned {}", state.is_poisoned()));
    once.call_once_force(|_| println!("never"));
    println!("{}", once.is_completed());
    let cell = OnceLock::new();
    println!("{}", message(panic::catch_unwind(|| drop(cell.get_or_init(|| -> u8 { panic!("cell") })))));
    println!("{:?} {:?}", cell.get(), cell.get_or_init(|| 5));
    let lazy: LazyLock<u8> = LazyLock::new(|| panic!("lazy"));
    println!("{}", message(panic::catch_unwind(|| println!("{}", *lazy))));
    println!("{}", message(panic::catch_unwind(|| println!("{}", *lazy))));
    println!("{lazy:?}");
}
