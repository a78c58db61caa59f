//! A flag that is set beside the lock.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex};

struct Stop {
    asked: AtomicBool,
    lock: Mutex<()>,
    changed: Condvar,
}

impl Stop {
    fn ask(&self) {
        self.asked.store(true, Ordering::SeqCst);
        self.changed.notify_all(); //~ notify_without_change_under_lock
    }

    fn wait(&self) {
        let mut guard = self.lock.lock().unwrap();
        while !self.asked.load(Ordering::SeqCst) {
            guard = self.changed.wait(guard).unwrap();
        }
    }
}
