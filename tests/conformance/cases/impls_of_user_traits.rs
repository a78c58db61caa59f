//! A user's own trait can be implemented for std's types, in bulk.

use std::sync::{Mutex, RwLock, mpsc};
use std::thread;

trait Describe {
    fn describe(&self) -> String;
}

impl<T: std::fmt::Debug> Describe for Mutex<T> {
    fn describe(&self) -> String {
        format!("mutex of {:?}", self.lock().unwrap())
    }
}

impl<T: std::fmt::Debug> Describe for RwLock<T> {
    fn describe(&self) -> String {
        format!("lock of {:?}", self.read().unwrap())
    }
}

impl<T> Describe for mpsc::Receiver<T> {
    fn describe(&self) -> String {
        "receiver".into()
    }
}

impl<T> Describe for thread::JoinHandle<T> {
    fn describe(&self) -> String {
        format!("thread {:?}", self.thread().name())
    }
}

pub fn main() {
    println!("{}", Mutex::new(1).describe());
    println!("{}", RwLock::new("x").describe());
    println!("{}", mpsc::channel::<u8>().1.describe());
    println!("{}", thread::spawn(|| ()).describe());
}
