//! Races: two slices made by hand that overlap in one element.

use std::slice;
use std::thread;

use shared::Pointer;

pub fn main() {
    let mut data = vec![0_u32; 101];
    let start = Pointer(data.as_mut_ptr());
    thread::scope(|scope| {
        for first in [0, 50] {
            scope.spawn(move || {
                // SAFETY: none, the ranges share their fiftieth element.
                let part = unsafe { slice::from_raw_parts_mut(start.get().add(first), 51) };
                for value in part {
                    *value += 1; //~ data_race
                }
            });
        }
    });
}
