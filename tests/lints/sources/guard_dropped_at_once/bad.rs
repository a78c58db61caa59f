//! Guards without a name.

use std::sync::{Mutex, RwLock};

static LOG: Mutex<()> = Mutex::new(());
static RATES: RwLock<u32> = RwLock::new(1);

fn write(line: &str) {
    let _ = LOG.lock().unwrap(); //~ guard_dropped_at_once
    print(line);
}

fn read() {
    let _ = RATES.read(); //~ guard_dropped_at_once
    print("rates");
}

fn assigned() {
    _ = LOG.lock(); //~ guard_dropped_at_once
    print("line");
}

fn print(line: &str) {
    println!("{line}");
}
