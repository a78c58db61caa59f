//! Producers and consumers over a mutex and two condvars, some waits timed, under contention.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::Duration;

struct Queue {
    items: Mutex<(VecDeque<u64>, usize)>,
    filled: Condvar,
    drained: Condvar,
}

impl Queue {
    fn put(&self, item: u64) {
        let mut items =
            self.drained.wait_while(self.items.lock().unwrap(), |items| items.0.len() == 4).unwrap();
        items.0.push_back(item);
        self.filled.notify_one();
    }

    fn take(&self) -> Option<u64> {
        let mut items = self.items.lock().unwrap();
        loop {
            if let Some(item) = items.0.pop_front() {
                self.drained.notify_one();
                return Some(item);
            }
            if items.1 == 0 {
                return None;
            }
            items = self.filled.wait_timeout(items, Duration::from_micros(200)).unwrap().0;
        }
    }

    fn close(&self) {
        self.items.lock().unwrap().1 -= 1;
        self.filled.notify_all();
    }
}

pub fn main() {
    let items = Mutex::new((VecDeque::new(), 3));
    let queue = Queue { items, filled: Condvar::new(), drained: Condvar::new() };
    let total: u64 = thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                (1..=1000).for_each(|item| queue.put(item));
                queue.close();
            });
        }
        let consumers: Vec<_> =
            (0..3).map(|_| scope.spawn(|| std::iter::from_fn(|| queue.take()).sum::<u64>())).collect();
        consumers.into_iter().map(|consumer| consumer.join().unwrap()).sum()
    });
    println!("{total}");
}
