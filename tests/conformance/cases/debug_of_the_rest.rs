//! What condvars, onces, barriers, channels and threads show of themselves.

use std::sync::{Barrier, Condvar, LazyLock, Once, OnceLock, mpsc};
use std::thread;

pub fn main() {
    println!("{:?} {:#?}", Condvar::new(), Condvar::new());
    println!("{:?} {:?} {:?}", Once::new(), Barrier::new(3), Barrier::new(1).wait());
    let cell = OnceLock::new();
    println!("{cell:?} {cell:#?}");
    cell.set("text").unwrap();
    println!("{cell:?} {cell:#?}");
    let lazy = LazyLock::new(|| 4);
    println!("{lazy:?}");
    LazyLock::force(&lazy);
    println!("{lazy:?} {lazy:#?}");
    let (sender, receiver) = mpsc::channel::<u8>();
    println!("{sender:?} {receiver:?} {:?} {:?}", receiver.iter(), receiver.try_iter());
    let (sender, receiver) = mpsc::sync_channel::<u8>(1);
    println!("{sender:?} {:?}", receiver.into_iter());
    println!("{:?}", sender.send(1));
    println!("{:?}", thread::Builder::new().name("name".into()).stack_size(4096));
    let thread = thread::Builder::new().name("name".into()).spawn(thread::current).unwrap();
    println!("{thread:?} {:?}", thread.thread().name());
    println!("{:?}", thread.join().unwrap().name());
    thread::scope(|scope| {
        let thread = scope.spawn(|| ());
        println!("{thread:?}");
    });
    Once::new().call_once_force(|state| println!("{state:?}"));
}
