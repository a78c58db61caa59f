//! A lazy value is made on first use, and dropped with its initialiser or value.

use std::sync::LazyLock;

struct Loud(&'static str);

impl Drop for Loud {
    fn drop(&mut self) {
        println!("dropped {}", self.0);
    }
}

static TEXT: LazyLock<String> = LazyLock::new(|| {
    println!("made");
    "text".into()
});

pub fn main() {
    println!("before");
    println!("{} {}", *TEXT, TEXT.len());
    let mut lazy = LazyLock::new(|| vec![1]);
    println!("{:?}", LazyLock::get(&lazy));
    println!("{:?}", LazyLock::get_mut(&mut lazy));
    lazy.push(2);
    LazyLock::force_mut(&mut lazy).push(3);
    println!("{:?} {:?}", LazyLock::force(&lazy), LazyLock::get(&lazy));
    println!("{:?}", LazyLock::get_mut(&mut lazy));
    println!("{:?}", *LazyLock::<String>::default());
    let captured = Loud("initialiser");
    drop(LazyLock::new(move || {
        let _captured = captured;
    }));
    let value = LazyLock::new(|| Loud("value"));
    LazyLock::force(&value);
    drop(value);
    let captured = Loud("captured by a panic");
    let poisoned = LazyLock::new(move || {
        let _captured = captured;
        panic!("never made")
    });
    let poisoned: LazyLock<u8, _> = poisoned;
    println!(
        "{}",
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| *LazyLock::force(&poisoned))).is_err()
    );
    drop(poisoned);
    println!("end");
}
