//! Everything that std can construct in a constant can be.

use std::sync::*;

static MUTEX: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static RWLOCK: RwLock<Option<String>> = RwLock::new(None);
static CONDVAR: Condvar = Condvar::new();
static ONCE: Once = Once::new();
static CELL: OnceLock<String> = OnceLock::new();
static LAZY: LazyLock<Vec<u8>> = LazyLock::new(|| vec![1, 2]);
static BARRIER: Barrier = Barrier::new(1);
static MANY: [Mutex<u8>; 4] = [const { Mutex::new(3) }; 4];
const TEMPLATE: Mutex<u8> = Mutex::new(9);

const fn nested() -> (Mutex<RwLock<u8>>, OnceLock<Mutex<u8>>) {
    (Mutex::new(RwLock::new(1)), OnceLock::new())
}

static NESTED: (Mutex<RwLock<u8>>, OnceLock<Mutex<u8>>) = nested();

pub fn main() {
    MUTEX.lock().unwrap().push(1);
    RWLOCK.write().unwrap().replace("x".into());
    CONDVAR.notify_all();
    ONCE.call_once(|| println!("once"));
    CELL.get_or_init(|| "cell".into());
    println!("{:?} {:?} {:?} {:?} {:?}", MUTEX, RWLOCK, CONDVAR, CELL, *LAZY);
    println!("{:?}", BARRIER.wait());
    println!("{:?}", MANY.iter().map(|mutex| *mutex.lock().unwrap()).sum::<u8>());
    *TEMPLATE.lock().unwrap() = 1;
    println!("{:?}", TEMPLATE);
    println!("{:?}", NESTED);
}
