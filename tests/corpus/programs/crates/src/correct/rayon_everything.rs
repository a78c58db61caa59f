//! Correct: rayon's parallel iterators, sorts, joins, scopes and pools.

use rayon::prelude::*;

fn sum(numbers: &[u64]) -> u64 {
    if numbers.len() < 50 {
        return numbers.iter().sum();
    }
    let (low, high) = numbers.split_at(numbers.len() / 2);
    let (low, high) = rayon::join(|| sum(low), || sum(high));
    low + high
}

pub fn main() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    pool.install(|| {
        let mut numbers: Vec<u64> = (0..2000).into_par_iter().map(|n| n * 7 % 1001).collect();
        let total = numbers.par_iter().copied().reduce(|| 0, |a, b| a + b);
        assert_eq!(sum(&numbers), total);
        numbers.par_sort_unstable();
        assert!(numbers.is_sorted());
        numbers.par_chunks_mut(33).for_each(|chunk| chunk.reverse());
        let words: Vec<String> = numbers.par_iter().filter(|n| **n > 500).map(u64::to_string).collect();
        assert!(words.len() < numbers.len());
        let mut parts = vec![0; 8];
        rayon::scope(|scope| {
            for (index, part) in parts.iter_mut().enumerate() {
                scope.spawn(move |_| *part = index);
            }
        });
        assert_eq!(parts.iter().sum::<usize>(), 28);
    });
    let seen = pool.broadcast(|context| context.index());
    assert_eq!(seen, [0, 1, 2]);
}
