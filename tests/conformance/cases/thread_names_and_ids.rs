//! Names and ids, seen from inside and outside.

use std::thread;

pub fn main() {
    let main = thread::current().id();
    let handle = thread::Builder::new()
        .name("worker".into())
        .stack_size(256 * 1024)
        .spawn(|| (thread::current().id(), thread::current().name().map(String::from)))
        .unwrap();
    let (outside, name) = (handle.thread().id(), handle.thread().name().map(String::from));
    let (inside, inner) = handle.join().unwrap();
    println!("{} {} {name:?} {inner:?}", outside == inside, main == inside);
    println!("{:?}", thread::spawn(|| thread::current().name().map(String::from)).join().unwrap());
    let unnamed = thread::spawn(thread::current).join().unwrap();
    println!("{:?} {}", unnamed.name(), unnamed.clone().id() == unnamed.id());
    thread::scope(|scope| {
        let handle = thread::Builder::new().name("scoped".into()).spawn_scoped(scope, || ()).unwrap();
        println!("{:?}", handle.thread().name());
    });
    let bad =
        std::panic::catch_unwind(|| thread::Builder::new().name("nul\0inside".into()).spawn(|| ()).is_ok());
    println!("{:?}", bad.is_err());
}
