//! Correct: values made on first use by whichever thread comes first, read by all.

use std::collections::HashMap;
use std::sync::{Barrier, LazyLock, Once, OnceLock};
use std::thread;

use shared::Shared;

static TABLE: LazyLock<HashMap<u32, String>> =
    LazyLock::new(|| (0..50).map(|key| (key, format!("value {key}"))).collect());
static NAME: OnceLock<String> = OnceLock::new();
static BEGUN: Once = Once::new();
static DATA: Shared<u64> = Shared::new(0);

fn everything(index: u32) {
    assert_eq!(TABLE[&index], format!("value {index}"));
    assert_eq!(NAME.get_or_init(|| "name".to_owned()), "name");
    BEGUN.call_once(|| {
        // SAFETY: once, and whoever reads comes after it.
        unsafe { *DATA.get() = 4 };
    });
    assert!(BEGUN.is_completed());
    // SAFETY: written once, before.
    assert_eq!(unsafe { *DATA.get() }, 4);
}

pub fn main() {
    let start = Barrier::new(4);
    thread::scope(|scope| {
        for index in 0..4 {
            let start = &start;
            scope.spawn(move || {
                start.wait();
                everything(index);
            });
        }
    });
}
