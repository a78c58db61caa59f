//! Races: the address of a thread-local, given to another thread while its owner goes on using it.

use std::cell::UnsafeCell;
use std::sync::mpsc;
use std::thread;

use shared::Pointer;

thread_local! {
    static MINE: UnsafeCell<u64> = const { UnsafeCell::new(0) };
}

pub fn main() {
    let (sender, receiver) = mpsc::channel();
    let (done, wait) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            let mine = Pointer(MINE.with(UnsafeCell::get));
            sender.send(mine).unwrap();
            // SAFETY: none, the other thread has it too.
            unsafe { *mine.get() += 1 }; //~ data_race
            wait.recv().unwrap();
        });
        scope.spawn(move || {
            let theirs: Pointer<u64> = receiver.recv().unwrap();
            // SAFETY: none, see above.
            unsafe { *theirs.get() += 1 }; //~ data_race
            done.send(()).unwrap();
        });
    });
}
