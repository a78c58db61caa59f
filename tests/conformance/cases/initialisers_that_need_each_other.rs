//! An initialiser may use another once, lock and thread.

use std::sync::{LazyLock, Once, OnceLock};

static FIRST: LazyLock<u8> = LazyLock::new(|| *SECOND + 1);
static SECOND: LazyLock<u8> = LazyLock::new(|| *THIRD.get_or_init(|| 1) + 1);
static THIRD: OnceLock<u8> = OnceLock::new();
static ONCE: Once = Once::new();

pub fn main() {
    ONCE.call_once(|| println!("{}", *FIRST));
    let made = LazyLock::new(|| std::thread::spawn(|| *FIRST + *SECOND).join().unwrap());
    println!("{} {:?}", *made, THIRD.get());
}
