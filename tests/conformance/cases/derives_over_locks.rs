//! Derived traits of structs that hold locks.

use std::sync::{Condvar, Mutex, OnceLock, RwLock};

#[derive(Debug, Default)]
struct State {
    mutex: Mutex<Vec<u8>>,
    rwlock: RwLock<Option<u8>>,
    cell: OnceLock<u8>,
    condvar: Condvar,
}

#[derive(Clone, Debug, PartialEq, Eq, Default)]
struct Cells(OnceLock<u8>, OnceLock<String>);

pub fn main() {
    println!("{:?}", State::default());
    println!("{:#?}", State::default());
    let cells = Cells(OnceLock::from(1), OnceLock::new());
    println!("{:?} {} {}", cells.clone(), cells == cells.clone(), cells == Cells::default());
}
