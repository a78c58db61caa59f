//! Races: the writer holds the lock, and the reader thinks that it needs none.

use std::hint::black_box;
use std::sync::Mutex;
use std::thread;

use shared::Shared;

static LOCK: Mutex<()> = Mutex::new(());
static DATA: Shared<u64> = Shared::new(0);

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(|| {
            let _guard = LOCK.lock().unwrap();
            // SAFETY: none, the reader does not hold the lock.
            unsafe { *DATA.get() += 1 }; //~ data_race
        });
        scope.spawn(|| {
            // SAFETY: none, see above.
            black_box(unsafe { *DATA.get() }); //~ data_race
        });
    });
}
