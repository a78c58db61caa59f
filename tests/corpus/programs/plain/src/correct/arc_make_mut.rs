//! Correct: `Arc::make_mut` copies where others still read, and writes in place where nobody does.

use std::sync::Arc;
use std::thread;

pub fn main() {
    for _ in 0..20 {
        let mut data = Arc::new(vec![1_u64; 16]);
        let other = Arc::clone(&data);
        let reader = thread::spawn(move || other.iter().sum::<u64>());
        Arc::make_mut(&mut data)[3] = 5;
        assert_eq!((reader.join().unwrap(), data.iter().sum::<u64>()), (16, 20));
    }
}
