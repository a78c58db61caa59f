//! Locks in leaked and in copied memory are locks.

use std::sync::Mutex;

pub fn main() {
    let leaked: &'static Mutex<Vec<u8>> = Box::leak(Box::new(Mutex::new(vec![])));
    std::thread::spawn(|| leaked.lock().unwrap().push(1)).join().unwrap();
    println!("{leaked:?}");
    std::mem::forget(leaked.lock());
    println!("{:?} {}", leaked, leaked.try_lock().is_err());
    let original = Mutex::new(3);
    println!("{}", original.lock().unwrap());
    // SAFETY: the original is forgotten, and a byte may be copied.
    let copy = unsafe { std::ptr::read(&original) };
    std::mem::forget(original);
    println!("{:?}", copy.into_inner());
}
