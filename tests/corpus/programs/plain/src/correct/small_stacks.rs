//! Correct: threads that ask for the smallest stack there is, which is enough for what they do.

use std::sync::Mutex;
use std::thread;

static DONE: Mutex<Vec<String>> = Mutex::new(Vec::new());

pub fn main() {
    let spawn = |number: usize| {
        let builder = thread::Builder::new().stack_size(1).name(format!("small-{number}"));
        let work = move || {
            let mut words: Vec<_> = (0..50).rev().map(|word| format!("{number} and {word:?}")).collect();
            words.sort();
            DONE.lock().unwrap().push(words.concat());
        };
        builder.spawn(work).expect("a thread can be created")
    };
    let threads: Vec<_> = (0..4).map(spawn).collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(DONE.lock().unwrap().len(), 4);
}
