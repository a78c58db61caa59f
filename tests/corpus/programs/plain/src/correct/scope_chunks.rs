//! Correct: scoped threads write disjoint chunks of one vector, and the scope's end orders them all.

use std::thread;

pub fn main() {
    let mut data = vec![0_u32; 1000];
    for round in 1..=5 {
        thread::scope(|scope| {
            for chunk in data.chunks_mut(77) {
                scope.spawn(move || chunk.iter_mut().for_each(|value| *value += round));
            }
        });
    }
    assert!(data.iter().all(|value| *value == 15));
}
