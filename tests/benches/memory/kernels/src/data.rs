//! Kernels that allocate.

use std::collections::{BTreeMap, HashMap};
use std::thread;

use crate::{Random, THREADS};

fn in_threads(work: impl Fn(u64) -> u64 + Sync) -> u64 {
    thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..THREADS as u64).map(|index| scope.spawn(move || work(index))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread panics")).sum()
    })
}

/// Texts built, transformed, split and counted.
pub fn strings(scale: usize) -> u64 {
    let words: Vec<String> = (0..2000).map(|n| format!("w{}x{}", n * 7919 % 1000, n % 17)).collect();
    in_threads(|index| {
        let mut random = Random(11 + index);
        let mut counts: HashMap<String, usize> = HashMap::new();
        let mut length = 0;
        for round in 0..scale * 50 {
            let mut text = String::new();
            for position in 0..500 {
                text.push_str(&words[random.below(2000)]);
                text.push(if position % 10 == 0 { '\n' } else { ' ' });
            }
            let upper: String = text.chars().map(|c| if c == 'w' { 'W' } else { c }).collect();
            for word in upper.split_whitespace() {
                *counts.entry(word.to_owned()).or_default() += 1;
            }
            length += upper.len() + format!("{round}:{}", upper.len()).len();
        }
        (length + counts.len()) as u64
    })
}

/// Blocks of many sizes that live for a while.
pub fn churn(scale: usize) -> u64 {
    in_threads(|index| {
        let mut random = Random(17 + index);
        let mut live: Vec<Vec<u64>> = vec![Vec::new(); 2000];
        let mut sum = 0;
        for _ in 0..scale * 300_000 {
            let place = random.below(live.len());
            let size = 1 << random.below(8);
            sum += live[place].len() as u64;
            live[place] = Vec::with_capacity(size);
            live[place].push(random.next());
        }
        sum
    })
}

/// Ordered maps and boxed nodes.
pub fn tree(scale: usize) -> u64 {
    in_threads(|index| {
        let mut random = Random(23 + index);
        let mut sum = 0;
        for _ in 0..scale * 4 {
            let mut map = BTreeMap::new();
            for _ in 0..20_000 {
                *map.entry(random.next() % 30_000).or_insert(0_u64) += 1;
            }
            sum += map.range(5_000..25_000).map(|(key, count)| key * count).sum::<u64>();
            let pairs: Vec<Box<(u64, u64)>> = map.into_iter().map(Box::new).collect();
            sum += pairs.iter().map(|pair| pair.0 ^ pair.1).sum::<u64>();
        }
        sum
    })
}
