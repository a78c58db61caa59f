//! A guard taken while the thread panics poisons nothing.

use std::sync::Mutex;

struct LocksWhenDropped<'a>(&'a Mutex<u8>);

impl Drop for LocksWhenDropped<'_> {
    fn drop(&mut self) {
        *self.0.lock().unwrap() += 1;
        println!("panicking {}", std::thread::panicking());
    }
}

pub fn main() {
    let mutex = Mutex::new(0);
    let _ = std::panic::catch_unwind(|| {
        let _locks = LocksWhenDropped(&mutex);
        panic!("first");
    });
    println!("{mutex:?}");
}
