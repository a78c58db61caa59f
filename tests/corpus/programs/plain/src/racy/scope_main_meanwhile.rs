//! Races: the thread that opened the scope writes what it lent, before the scope ends.

use std::thread;

use shared::Shared;

pub fn main() {
    let data = Shared::new(0_u64);
    thread::scope(|scope| {
        scope.spawn(|| {
            // SAFETY: none, the scope's owner writes meanwhile.
            unsafe { *data.get() += 13 }; //~ data_race
        });
        // SAFETY: none, see above.
        unsafe { *data.get() += 13 }; //~ data_race
    });
}
