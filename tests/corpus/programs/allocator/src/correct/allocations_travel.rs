//! Correct: with an allocator of the program's own (mimalloc), blocks are allocated by one thread and
//! freed by another, grow, and are reused by threads that nothing orders.

use std::collections::HashMap;
use std::sync::mpsc::channel;
use std::thread;

fn churn(seed: usize) -> usize {
    let mut map = HashMap::new();
    for round in 0..300 {
        map.insert(round % 37, vec![seed; round]);
        let mut text = String::new();
        (0..round % 50).for_each(|digit| text.push_str(&digit.to_string()));
        map.entry(round % 11).or_default().push(text.len());
    }
    map.values().map(Vec::len).sum()
}

pub fn main() {
    let (sender, receiver) = channel::<Vec<String>>();
    thread::scope(|scope| {
        for seed in 0..3 {
            let sender = sender.clone();
            scope.spawn(move || {
                churn(seed);
                for round in 0..100 {
                    sender.send((0..round % 9).map(|n| format!("{seed} {n}")).collect()).unwrap();
                }
                churn(seed)
            });
        }
        drop(sender);
        scope.spawn(move || receiver.into_iter().flatten().map(|text| text.len()).sum::<usize>());
    });
    // One after the other, so that the allocator gives what the last one freed to the next.
    for seed in 0..20 {
        thread::spawn(move || churn(seed)).join().unwrap();
    }
}
