//! Thread-locals are each thread's own, and are destroyed with it, locks in hand.

use std::cell::RefCell;
use std::sync::Mutex;
use std::thread;

static ENDED: Mutex<Vec<&str>> = Mutex::new(Vec::new());

struct TellsWhenDropped(&'static str);

impl Drop for TellsWhenDropped {
    fn drop(&mut self) {
        ENDED.lock().unwrap().push(self.0);
    }
}

thread_local! {
    static LOCAL: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static TELLS: TellsWhenDropped = const { TellsWhenDropped("thread") };
}

pub fn main() {
    LOCAL.with_borrow_mut(|local| local.push(1));
    thread::spawn(|| {
        TELLS.with(|tells| println!("{}", tells.0));
        LOCAL.with_borrow_mut(|local| local.push(2));
        LOCAL.with_borrow(|local| println!("{local:?}"));
    })
    .join()
    .unwrap();
    LOCAL.with_borrow(|local| println!("{local:?}"));
    println!("{:?}", ENDED.lock().unwrap());
    println!("{:?}", thread::available_parallelism().is_ok());
}
