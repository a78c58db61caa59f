//! A timed wait says whether its time was over.

use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

#[expect(deprecated, reason = "this is about it")]
pub fn main() {
    let (mutex, condvar) = (Mutex::new(false), Condvar::new());
    let start = Instant::now();
    let (guard, result) = condvar.wait_timeout(mutex.lock().unwrap(), Duration::from_millis(20)).unwrap();
    println!("{} {result:?} {}", *guard, start.elapsed() >= Duration::from_millis(20));
    let (guard, result) = condvar.wait_timeout_while(guard, Duration::from_millis(5), |done| !*done).unwrap();
    println!("{} {:?}", *guard, result.timed_out());
    let (mut guard, result) = condvar.wait_timeout_while(guard, Duration::ZERO, |_| false).unwrap();
    println!("{:?} {}", result, result == result.clone());
    *guard = true;
    let (guard, notified) = condvar.wait_timeout_ms(guard, 2).unwrap();
    println!("{notified}");
    drop(guard);
    thread::scope(|scope| {
        let guard = mutex.lock().unwrap();
        scope.spawn(|| {
            *mutex.lock().unwrap() = false;
            condvar.notify_one();
        });
        let (guard, result) = condvar.wait_timeout_while(guard, Duration::MAX, |flag| *flag).unwrap();
        println!("{} {result:?}", *guard);
    });
}
