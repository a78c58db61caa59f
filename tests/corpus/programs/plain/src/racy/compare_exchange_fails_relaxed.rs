//! Races: a compare-exchange that fails is only a load, with its failure ordering, here relaxed.

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use shared::{Shared, wait_until};

static DATA: Shared<u64> = Shared::new(0);
static FLAG: AtomicU32 = AtomicU32::new(0);

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(|| {
            // SAFETY: none, the reader is not ordered after this.
            unsafe { *DATA.get() = 1 }; //~ data_race
            FLAG.store(1, Ordering::Release);
        });
        scope.spawn(|| {
            wait_until(|| FLAG.load(Ordering::Relaxed) == 1);
            assert_eq!(FLAG.compare_exchange(0, 9, Ordering::AcqRel, Ordering::Relaxed), Err(1));
            // SAFETY: none, see above.
            black_box(unsafe { *DATA.get() }); //~ data_race
        });
    });
}
