//! Waits end by a notify, and `wait_while` by its condition.

use std::sync::{Condvar, Mutex};
use std::thread;

pub fn main() {
    let (mutex, condvar) = (Mutex::new(0), Condvar::default());
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let guard = condvar.wait_while(mutex.lock().unwrap(), |turn| *turn == 0).unwrap();
                println!("went on {}", *guard);
            });
        }
        *mutex.lock().unwrap() = 1;
        condvar.notify_all();
    });
    thread::scope(|scope| {
        *mutex.lock().unwrap() = 0;
        for turn in 1..4 {
            let (mutex, condvar) = (&mutex, &condvar);
            scope.spawn(move || {
                let mut guard = mutex.lock().unwrap();
                while *guard != turn {
                    guard = condvar.wait(guard).unwrap();
                }
                println!("turn {turn}");
                *guard += 1;
                condvar.notify_all();
            });
        }
        *mutex.lock().unwrap() = 1;
        condvar.notify_one();
        condvar.notify_all();
    });
    println!("{mutex:?}");
}
