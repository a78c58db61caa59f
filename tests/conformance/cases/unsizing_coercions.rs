//! Locks coerce from sized to unsized contents.

use std::any::Any;
use std::sync::{Arc, Mutex, RwLock};

trait Speak {
    fn speak(&mut self) -> String;
}

impl Speak for u8 {
    fn speak(&mut self) -> String {
        *self += 1;
        format!("byte {self}")
    }
}

pub fn main() {
    let shared: Arc<Mutex<dyn Speak + Send>> = Arc::new(Mutex::new(3_u8));
    println!("{}", shared.lock().unwrap().speak());
    let slice: Box<RwLock<[u8]>> = Box::new(RwLock::new([1, 2, 3]));
    slice.write().unwrap()[0] = 7;
    println!("{:?} {}", slice, slice.read().unwrap().len());
    let local = Mutex::new([1, 2]);
    let borrowed: &Mutex<[i32]> = &local;
    println!("{:?}", borrowed.try_lock().unwrap().iter().sum::<i32>());
    let any: Box<Mutex<dyn Any>> = Box::new(Mutex::new("text"));
    println!("{:?}", any.lock().unwrap().downcast_ref::<&str>());
}
