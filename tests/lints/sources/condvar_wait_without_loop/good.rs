//! Waits that are repeated.

use std::sync::{Condvar, Mutex, MutexGuard};

struct Gate {
    open: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    fn pass(&self) {
        let mut open = self.open.lock().unwrap();
        while !*open {
            open = self.changed.wait(open).unwrap();
        }
    }

    fn pass_in_a_loop(&self) {
        let mut open = self.open.lock().unwrap();
        loop {
            if *open {
                return;
            }
            open = self.changed.wait(open).unwrap();
        }
    }

    fn pass_by_condition(&self) {
        let open = self.open.lock().unwrap();
        drop(self.changed.wait_while(open, |open| !*open).unwrap());
    }

    fn handed_on<'a>(&self, open: MutexGuard<'a, bool>) -> MutexGuard<'a, bool> {
        self.changed.wait(open).unwrap()
    }

    fn once(&self) {
        let open = self.open.lock().unwrap();
        if !*open {
            drop(self.changed.wait(open).unwrap());
        }
    }

    fn repeated(&self) {
        while !*self.open.lock().unwrap() {
            self.once();
        }
    }
}
