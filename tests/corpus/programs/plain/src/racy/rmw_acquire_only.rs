//! Races: `fetch_add` with `Acquire` reads with acquire and writes relaxed, so that it publishes nothing.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use shared::{Shared, wait_until};

static DATA: Shared<u16> = Shared::new(0);
static COUNT: AtomicU64 = AtomicU64::new(0);

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(|| {
            // SAFETY: none, the reader is not ordered after this.
            unsafe { *DATA.get() = 5 }; //~ data_race
            COUNT.fetch_add(1, Ordering::Acquire);
        });
        scope.spawn(|| {
            wait_until(|| COUNT.load(Ordering::Acquire) == 1);
            // SAFETY: none, see above.
            black_box(unsafe { *DATA.get() }); //~ data_race
        });
    });
}
