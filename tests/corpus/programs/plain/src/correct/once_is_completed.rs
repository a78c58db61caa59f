//! Correct: `OnceLock::get` and `Once::is_completed` synchronize with the initialiser that they see.

use std::sync::{Once, OnceLock};
use std::thread;

use shared::{Shared, wait_until};

static ONCE: Once = Once::new();
static CELL: OnceLock<u32> = OnceLock::new();
static DATA: Shared<[u64; 2]> = Shared::new([0; 2]);

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(|| {
            ONCE.call_once(|| {
                // SAFETY: read only by who sees that it is completed.
                unsafe { (*DATA.get())[0] = 1 };
            });
        });
        scope.spawn(|| {
            // SAFETY: read only by who sees the value of the cell.
            unsafe { (*DATA.get())[1] = 2 };
            CELL.set(5).unwrap();
        });
        scope.spawn(|| {
            wait_until(|| ONCE.is_completed() && CELL.get().is_some());
            // SAFETY: both were seen.
            assert_eq!(unsafe { *DATA.get() }, [1, 2]);
        });
        scope.spawn(|| {
            ONCE.wait();
            assert_eq!(CELL.wait(), &5);
            // SAFETY: both were waited for.
            assert_eq!(unsafe { *DATA.get() }, [1, 2]);
        });
    });
}
