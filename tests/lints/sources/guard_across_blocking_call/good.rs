//! The lock is free while the thread waits, or it is there to share what is waited for.

use std::sync::mpsc::Receiver;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

struct Server {
    state: Mutex<u32>,
    jobs: Arc<Mutex<Receiver<u32>>>,
    queue: Mutex<Vec<u32>>,
    filled: Condvar,
}

impl Server {
    fn stop(&self, worker: JoinHandle<()>) {
        *self.state.lock().unwrap() = 1;
        worker.join().unwrap();
    }

    fn next(&self) -> u32 {
        self.jobs.lock().unwrap().recv().unwrap()
    }

    fn take(&self) -> Option<u32> {
        let mut queue = self.queue.lock().unwrap();
        while queue.is_empty() {
            queue = self.filled.wait(queue).unwrap();
        }
        queue.pop()
    }

    fn names(&self, names: &[String]) -> String {
        let _state = self.state.lock().unwrap();
        names.join(", ")
    }
}
