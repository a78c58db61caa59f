//! Correct: arc-swap, dashmap, flume, once_cell and lazy_static between threads.

use std::sync::Arc;
use std::thread;

use arc_swap::ArcSwap;
use dashmap::DashMap;
use once_cell::sync::{Lazy, OnceCell};
use shared::{Pointer, Shared};

static LAZY: Lazy<Vec<String>> = Lazy::new(|| vec!["lazy".to_owned(); 3]);
static CELL: OnceCell<Box<u64>> = OnceCell::new();
static DATA: Shared<u64> = Shared::new(0);

lazy_static::lazy_static! {
    static ref TABLE: Vec<u64> = {
        // SAFETY: once, and whoever reads it comes after.
        unsafe { *DATA.get() = 3 };
        (0..100).collect()
    };
}

fn swap(current: &ArcSwap<Vec<u64>>) {
    for round in 0..50 {
        let seen = current.load();
        assert!(seen.iter().all(|value| *value == seen[0]));
        current.store(Arc::new(vec![round; 5]));
    }
}

fn map(map: &DashMap<u64, String>) {
    for key in 0..50 {
        map.entry(key % 7).or_default().push('x');
        assert!(map.get(&(key % 7)).is_some_and(|value| !value.is_empty()));
    }
}

fn lazies() {
    assert_eq!((LAZY.len(), TABLE[7], **CELL.get_or_init(|| Box::new(4))), (3, 7, 4));
    // SAFETY: written by the initialiser, before.
    assert_eq!(unsafe { *DATA.get() }, 3);
}

pub fn main() {
    let (current, table) = (ArcSwap::from_pointee(vec![0; 5]), DashMap::new());
    let (sender, receiver) = flume::bounded::<Pointer<u64>>(2);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                swap(&current);
                map(&table);
                lazies();
            });
        }
        scope.spawn(move || {
            for value in 0..50 {
                sender.send(Pointer(Box::into_raw(Box::new(value)))).unwrap();
            }
        });
        scope.spawn(move || {
            for pointer in receiver {
                // SAFETY: it was a box, and the sender kept nothing.
                drop(unsafe { Box::from_raw(pointer.get()) });
            }
        });
    });
}
