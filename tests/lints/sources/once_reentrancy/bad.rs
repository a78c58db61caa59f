//! Initialisers that come back.

use std::sync::{LazyLock, Once, OnceLock};

static NAME: OnceLock<String> = OnceLock::new();
static START: Once = Once::new();
static TABLE: LazyLock<Vec<u32>> = LazyLock::new(|| vec![TABLE.len() as u32]); //~ once_reentrancy

fn name() -> &'static str {
    NAME.get_or_init(|| greeting()) //~ once_reentrancy
}

fn greeting() -> String {
    format!("hello {}", name())
}

fn start() {
    START.call_once(|| {
        START.call_once(|| println!("twice")); //~ once_reentrancy
    });
}
