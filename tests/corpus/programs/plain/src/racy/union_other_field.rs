//! Races: one thread writes a union by one field while another reads it by the other.

use std::hint::black_box;
use std::thread;

use shared::Shared;

union Number {
    float: f32,
    bits: u32,
}

static NUMBER: Shared<Number> = Shared::new(Number { bits: 0 });

pub fn main() {
    thread::scope(|scope| {
        scope.spawn(|| {
            // SAFETY: none, the other thread reads the same bytes.
            unsafe { (*NUMBER.get()).float = 1.5 }; //~ data_race
        });
        scope.spawn(|| {
            // SAFETY: none, see above.
            black_box(unsafe { (*NUMBER.get()).bits }); //~ data_race
        });
    });
}
