//! A cell is written once, read often, and can be emptied by its owner.

use std::sync::OnceLock;
use std::thread;

pub fn main() {
    let mut cell = OnceLock::new();
    println!("{:?}", cell.get());
    println!("{:?}", cell.get_mut());
    println!("{:?} {:?}", cell.set(1), cell.set(2));
    println!("{} {:?}", cell.get_or_init(|| 3), cell.get());
    *cell.get_mut().unwrap() += 10;
    println!("{:?} {:?} {:?}", cell.clone(), cell.take(), cell.take());
    println!("{:?} {:?}", cell.set(4), cell.into_inner());
    println!("{:?} {}", OnceLock::from("x"), OnceLock::from(1) == OnceLock::from(1));
    println!("{}", OnceLock::<u8>::default() == OnceLock::new());
    let shared = OnceLock::new();
    thread::scope(|scope| {
        scope.spawn(|| println!("waited for {}", shared.wait()));
        scope.spawn(|| shared.set("value").unwrap());
    });
    let dropped = OnceLock::new();
    struct Loud;
    impl Drop for Loud {
        fn drop(&mut self) {
            println!("dropped");
        }
    }
    let _ = dropped.set(Loud);
}
