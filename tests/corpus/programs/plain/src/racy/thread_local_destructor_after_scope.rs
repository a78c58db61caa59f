//! Races: a scope waits for its threads' closures and not for the destructors of their thread-locals
//! (std says so), which here write what is read after the scope.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use shared::{Shared, wait_until};

static LEFT: Shared<u64> = Shared::new(0);
static GONE: AtomicBool = AtomicBool::new(false);

struct Leaves;

impl Drop for Leaves {
    fn drop(&mut self) {
        // SAFETY: none, the scope does not wait for it.
        unsafe { *LEFT.get() = 1 }; //~ data_race
        GONE.store(true, Ordering::Relaxed);
    }
}

thread_local! {
    static MINE: Leaves = const { Leaves };
}

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(|| MINE.with(|_| ()));
    });
    wait_until(|| GONE.load(Ordering::Relaxed));
    // SAFETY: none, see above.
    black_box(unsafe { *LEFT.get() }); //~ data_race
}
