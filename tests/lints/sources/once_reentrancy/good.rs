//! Initialisers that use others.

use std::sync::{LazyLock, OnceLock};

static NAME: OnceLock<String> = OnceLock::new();
static GREETING: OnceLock<String> = OnceLock::new();
static BASE: LazyLock<u32> = LazyLock::new(|| 1);
static NEXT: LazyLock<u32> = LazyLock::new(|| *BASE + 1);

fn name() -> &'static str {
    NAME.get_or_init(|| "me".to_owned())
}

fn greeting() -> &'static str {
    GREETING.get_or_init(|| format!("hello {}", name()))
}
