//! The lock is taken for the change, or once in between.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex};

struct Stop {
    asked: AtomicBool,
    state: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    fn ask(&self) {
        self.asked.store(true, Ordering::SeqCst);
        drop(self.state.lock().unwrap());
        self.changed.notify_all();
    }

    fn change(&self) {
        *self.state.lock().unwrap() = true;
        self.changed.notify_all();
    }
}
