//! The value first, and then the match.

use std::sync::Mutex;

struct Pool {
    idle: Mutex<Vec<u32>>,
    busy: Mutex<Vec<u32>>,
}

impl Pool {
    fn take(&self) {
        let worker = self.idle.lock().unwrap().pop();
        match worker {
            Some(worker) => self.busy.lock().unwrap().push(worker),
            None => println!("none"),
        }
    }

    fn say(&self) {
        match self.idle.lock().unwrap().len() {
            0 => println!("none"),
            count => println!("{count}"),
        }
    }

    fn other(&self) {
        if let Some(worker) = self.idle.lock().unwrap().pop() {
            println!("{worker}");
        } else {
            // Edition 2024 has ended the temporary.
            self.busy.lock().unwrap().clear();
        }
    }
}
