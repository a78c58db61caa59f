//! Correct: three thousand threads, few at a time, that hand one value on by join.

use std::thread;

use shared::Shared;

static DATA: Shared<u64> = Shared::new(0);
static OWN: [Shared<u64>; 4] = [const { Shared::new(0) }; 4];

pub fn main() {
    for _ in 0..750 {
        thread::scope(|scope| {
            for own in &OWN {
                scope.spawn(move || {
                    // SAFETY: each thread of a round has its own.
                    unsafe { *own.get() += 1 };
                });
            }
        });
        // SAFETY: the round has ended.
        unsafe { *DATA.get() += *OWN[0].get() };
    }
    // SAFETY: all threads have ended.
    assert_eq!(unsafe { *OWN[3].get() }, 750);
}
