//! Correct: a thread-local's destructor runs before the thread ends, so a join orders what it wrote;
//! and what each thread keeps in it is its own.

use std::cell::Cell;
use std::thread;

use shared::Shared;

static LEFT: Shared<u64> = Shared::new(0);

struct Leaves(Cell<u64>);

impl Drop for Leaves {
    fn drop(&mut self) {
        // SAFETY: the threads are joined one after the other.
        unsafe { *LEFT.get() += self.0.get() };
    }
}

thread_local! {
    static MINE: Leaves = const { Leaves(Cell::new(0)) };
    static WORDS: Cell<Vec<String>> = Cell::default();
}

fn work(amount: u64) {
    MINE.with(|mine| mine.0.set(mine.0.get() + amount));
    WORDS.set(vec!["word".to_owned(); 5]);
}

pub fn main() {
    for amount in 1..=5 {
        thread::spawn(move || work(amount)).join().unwrap();
    }
    thread::scope(|scope| {
        let thread = scope.spawn(|| work(5));
        thread.join().unwrap();
        // SAFETY: joined.
        assert_eq!(unsafe { *LEFT.get() }, 20);
    });
}
