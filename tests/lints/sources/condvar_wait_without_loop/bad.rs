//! Waits that are believed when they end.

use std::sync::{Condvar, Mutex};

struct Gate {
    open: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    fn pass(&self) {
        let mut open = self.open.lock().unwrap();
        if !*open {
            open = self.changed.wait(open).unwrap(); //~ condvar_wait_without_loop
        }
        println!("{open}");
    }

    fn pass_at_any_rate(&self) {
        let open = self.open.lock().unwrap();
        let _open = self.changed.wait(open).unwrap(); //~ condvar_wait_without_loop
    }
}
