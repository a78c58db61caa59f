//! Races: two tasks of tokio's multi-thread runtime, each on a worker of its own, write the same cell.

use std::sync::{Arc, Barrier};

use shared::Shared;
use tokio::runtime::Builder;

pub fn main() {
    let runtime = Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let (data, both) = (Arc::new(Shared::new(0_u64)), Arc::new(Barrier::new(2)));
    runtime.block_on(async {
        let tasks = [(); 2].map(|()| {
            let (data, both) = (data.clone(), both.clone());
            tokio::spawn(async move {
                tokio::task::block_in_place(|| both.wait());
                // SAFETY: none, both tasks do it.
                unsafe { *data.get() += 1 }; //~ data_race
            })
        });
        for task in tasks {
            task.await.unwrap();
        }
    });
}
