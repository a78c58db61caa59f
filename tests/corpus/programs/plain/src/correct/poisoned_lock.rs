//! Correct: a thread that panics under the lock gives it back, and what it wrote is seen by the next.

use std::panic;
use std::sync::Mutex;
use std::thread;

static LIST: Mutex<Vec<String>> = Mutex::new(Vec::new());

pub fn main() {
    panic::set_hook(Box::new(|_| ()));
    for round in 0..5 {
        let thread = thread::spawn(move || {
            let mut list = LIST.lock().unwrap_or_else(|poison| poison.into_inner());
            list.push(format!("round {round}"));
            panic!("round {round}");
        });
        let payload = thread.join().unwrap_err();
        assert_eq!(payload.downcast_ref::<String>().unwrap(), &format!("round {round}"));
    }
    let list = LIST.lock().unwrap_or_else(|poison| poison.into_inner());
    assert_eq!(list.len(), 5);
}
