//! Correct: halves of a slice, split at an odd byte, filled, copied and compared by two threads.

use std::thread;

pub fn main() {
    let mut data = vec![0_u8; 4097];
    let source: Vec<u8> = (0..=255).cycle().take(4097).collect();
    for at in [1, 7, 63, 2049, 4093] {
        let (low, high) = data.split_at_mut(at);
        thread::scope(|scope| {
            scope.spawn(|| low.copy_from_slice(&source[..at]));
            scope.spawn(|| {
                high.fill(9);
                high.copy_from_slice(&source[at..]);
                high.reverse();
                high.reverse();
            });
        });
        assert_eq!(data, source);
    }
}
