//! Globs, renames and paths meet the same types.

mod by_glob {
    use std::sync::*;
    use std::thread::*;

    pub fn work() -> std::thread::Result<u8> {
        let lock = Arc::new(Mutex::new(1));
        let other = Arc::clone(&lock);
        spawn(move || *other.lock().unwrap()).join()
    }
}

mod by_rename {
    extern crate std as other;
    use other::sync::Mutex as Lock;

    pub fn lock() -> Lock<u8> {
        ::std::sync::Mutex::new(2)
    }
}

use std::prelude::v1::*;

pub fn main() {
    println!("{:?} {:?}", by_glob::work().ok(), by_rename::lock());
    std::thread_local!(static LOCAL: std::cell::Cell<u8> = const { std::cell::Cell::new(3) });
    println!("{}", LOCAL.get());
    let same: std::sync::Arc<core::sync::atomic::AtomicU8> =
        std::sync::Arc::new(std::sync::atomic::AtomicU8::new(4));
    println!("{same:?}");
}
