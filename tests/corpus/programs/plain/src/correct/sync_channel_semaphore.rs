//! Correct: a channel of capacity one as a lock: who can send is inside, and leaves by receiving.

use std::sync::Mutex;
use std::sync::mpsc::sync_channel;
use std::thread;

use shared::Shared;

static DATA: Shared<u64> = Shared::new(0);

pub fn main() {
    let (enter, leave) = sync_channel(1);
    let leave = Mutex::new(leave);
    thread::scope(|scope| {
        for _ in 0..3 {
            let (enter, leave) = (enter.clone(), &leave);
            scope.spawn(move || {
                for _ in 0..50 {
                    enter.send(()).unwrap();
                    // SAFETY: the channel is full, so nobody else gets in.
                    unsafe { *DATA.get() += 1 };
                    leave.lock().unwrap().recv().unwrap();
                }
            });
        }
    });
    // SAFETY: the threads have ended.
    assert_eq!(unsafe { *DATA.get() }, 150);
}
