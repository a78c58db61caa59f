//! Temporaries that live longer than they look.

use std::sync::Mutex;

struct Pool {
    idle: Mutex<Vec<u32>>,
    busy: Mutex<Vec<u32>>,
}

impl Pool {
    fn take(&self) {
        match self.idle.lock().unwrap().pop() { //~ guard_in_scrutinee
            Some(worker) => self.busy.lock().unwrap().push(worker),
            None => println!("none"),
        }
    }

    fn take_all(&self) {
        while let Some(worker) = self.idle.lock().unwrap().pop() { //~ guard_in_scrutinee
            self.start(worker);
        }
    }

    fn start(&self, worker: u32) {
        self.busy.lock().unwrap().push(worker);
    }
}
