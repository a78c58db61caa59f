//! A lock that was used may be moved and used on.

use std::sync::{Mutex, Once, RwLock};

fn passed(mutex: Mutex<u8>) -> Mutex<u8> {
    *mutex.lock().unwrap() += 1;
    mutex
}

pub fn main() {
    let mutex = passed(passed(Mutex::new(0)));
    let boxed = Box::new(mutex);
    *boxed.lock().unwrap() += 1;
    let mut all = vec![*boxed, Mutex::new(9)];
    all.swap(0, 1);
    all.reserve(100);
    println!("{:?}", all.iter().map(|mutex| *mutex.lock().unwrap()).collect::<Vec<_>>());
    let (mut left, mut right) = (RwLock::new(1), RwLock::new(2));
    println!("{}", *left.read().unwrap() + *right.read().unwrap());
    std::mem::swap(&mut left, &mut right);
    println!("{:?} {:?}", left.into_inner(), right.into_inner());
    let once = Once::new();
    once.call_once(|| println!("once"));
    let moved = once;
    moved.call_once(|| println!("never"));
    println!("{}", moved.is_completed());
}
