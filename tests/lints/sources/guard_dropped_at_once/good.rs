//! Guards with a name, and values that are no guards.

use std::sync::Mutex;

static LOG: Mutex<Vec<u32>> = Mutex::new(Vec::new());

fn write(line: &str) {
    let _guard = LOG.lock().unwrap();
    print(line);
}

fn borrowed(line: &str) {
    let _ = &LOG.lock().unwrap();
    print(line);
}

fn value(line: &str) {
    let _ = LOG.lock().unwrap().pop();
    print(line);
}

fn tried(line: &str) {
    let _ = LOG.try_lock();
    print(line);
}

fn print(line: &str) {
    println!("{line}");
}
