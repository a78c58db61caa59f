//! Correct: one value that goes from hand to hand over a channel, a lock, a flag, a once, a condition
//! variable, a barrier, a token and a join: order is transitive.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Barrier, Condvar, Mutex, OnceLock};
use std::thread;

use shared::{Shared, wait_until};

static DATA: Shared<u64> = Shared::new(0);
static STEP: Mutex<u32> = Mutex::new(0);
static FLAG: AtomicBool = AtomicBool::new(false);
static ONCE: OnceLock<()> = OnceLock::new();
static CHANGED: Condvar = Condvar::new();

/// Adds one; nobody else may be at it.
fn touch() {
    // SAFETY: handed on from one to the next.
    unsafe { *DATA.get() += 1 };
}

pub fn main() {
    let (sender, receiver) = channel();
    let meeting = Barrier::new(2);
    thread::scope(|scope| {
        let parked = scope.spawn(|| {
            thread::park();
            touch();
        });
        let (parked, second) = (parked.thread().clone(), &meeting);
        scope.spawn(move || {
            second.wait();
            touch();
            parked.unpark();
        });
        scope.spawn(|| {
            drop(CHANGED.wait_while(STEP.lock().unwrap(), |step| *step < 2).unwrap());
            touch();
            meeting.wait();
        });
        scope.spawn(|| {
            ONCE.wait();
            touch();
            *STEP.lock().unwrap() = 2;
            CHANGED.notify_all();
        });
        scope.spawn(|| {
            wait_until(|| FLAG.load(Ordering::Acquire));
            touch();
            ONCE.set(()).unwrap();
        });
        scope.spawn(|| {
            wait_until(|| *STEP.lock().unwrap() == 1);
            touch();
            FLAG.store(true, Ordering::Release);
        });
        scope.spawn(move || {
            receiver.recv().unwrap();
            touch();
            *STEP.lock().unwrap() = 1;
        });
        touch();
        sender.send(()).unwrap();
    });
    // SAFETY: everybody has ended.
    assert_eq!(unsafe { *DATA.get() }, 8);
}
