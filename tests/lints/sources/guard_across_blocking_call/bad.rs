//! A lock that is held while a thread waits.

use std::sync::mpsc::Receiver;
use std::sync::{Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

struct Server {
    state: Mutex<u32>,
    queue: Mutex<Vec<u32>>,
    filled: Condvar,
}

impl Server {
    fn stop(&self, worker: JoinHandle<()>) {
        let _state = self.state.lock().unwrap();
        worker.join().unwrap(); //~ guard_across_blocking_call
    }

    fn receive(&self, messages: &Receiver<u32>) {
        let mut state = self.state.lock().unwrap();
        *state = messages.recv().unwrap(); //~ guard_across_blocking_call
    }

    fn nap(&self) {
        let _state = self.state.lock().unwrap();
        pause(); //~ guard_across_blocking_call
    }

    fn take(&self) -> Option<u32> {
        let _state = self.state.lock().unwrap();
        let mut queue = self.queue.lock().unwrap();
        while queue.is_empty() {
            queue = self.filled.wait(queue).unwrap(); //~ guard_across_blocking_call
        }
        queue.pop()
    }
}

fn pause() {
    thread::sleep(Duration::from_secs(1));
}
