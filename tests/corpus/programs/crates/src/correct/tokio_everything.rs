//! Correct: tasks on tokio's multi-thread runtime: joins, channels, locks, notifications, timers,
//! blocking tasks, and data that goes with them from worker to worker.

use std::sync::Arc;
use std::time::Duration;

use shared::Shared;
use tokio::runtime::Builder;
use tokio::sync::{Mutex, Notify, RwLock, Semaphore, mpsc, oneshot, watch};

async fn channels() {
    let (sender, mut receiver) = mpsc::channel::<Box<u64>>(4);
    for value in 0..4 {
        let sender = sender.clone();
        tokio::spawn(async move {
            for _ in 0..25 {
                sender.send(Box::new(value)).await.unwrap();
            }
        });
    }
    drop(sender);
    let mut sum = 0;
    while let Some(value) = receiver.recv().await {
        sum += *value;
    }
    assert_eq!(sum, 150);
    let (once, answer) = oneshot::channel();
    tokio::spawn(async move { once.send(Box::new(5)).unwrap() });
    assert_eq!(*answer.await.unwrap(), 5);
    let (say, mut hear) = watch::channel(0);
    let task = tokio::spawn(async move { hear.wait_for(|value| *value == 3).await.map(|value| *value) });
    for value in 1..=3 {
        say.send(value).unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(task.await.unwrap().unwrap(), 3);
}

async fn locks() {
    let (lock, table) = (Arc::new(Mutex::new(0_u64)), Arc::new(RwLock::new(vec![0; 4])));
    let (permit, beside) = (Arc::new(Semaphore::new(1)), Arc::new(Shared::new(0)));
    let tasks = [0, 1, 2, 3].map(|index: usize| {
        let (lock, table) = (lock.clone(), table.clone());
        let (permit, beside) = (permit.clone(), beside.clone());
        tokio::spawn(async move {
            for _ in 0..20 {
                *lock.lock().await += 1;
                table.write().await[index] += 1;
                assert!(table.read().await[index] > 0);
                let _permit = permit.acquire().await.unwrap();
                // SAFETY: under the only permit.
                unsafe { *beside.get() += 1 };
            }
        })
    });
    for task in tasks {
        task.await.unwrap();
    }
    // SAFETY: all tasks have ended.
    assert_eq!((*lock.lock().await, unsafe { *beside.get() }), (80, 80));
}

async fn the_rest() {
    let notify = Arc::new(Notify::new());
    let data = Arc::new(Shared::new(0_u64));
    let (told, theirs) = (notify.clone(), data.clone());
    let task = tokio::spawn(async move {
        told.notified().await;
        // SAFETY: told after it was written.
        unsafe { *theirs.get() += 1 };
    });
    // SAFETY: the task waits to be told.
    unsafe { *data.get() = 1 };
    notify.notify_one();
    task.await.unwrap();
    // SAFETY: the task has ended.
    assert_eq!(unsafe { *data.get() }, 2);
    tokio::time::sleep(Duration::from_millis(2)).await;
    let words = tokio::task::spawn_blocking(|| vec!["a".to_owned(); 9]).await.unwrap();
    assert_eq!(words.len(), 9);
    let late = tokio::time::timeout(Duration::from_millis(1), std::future::pending::<()>()).await;
    assert!(late.is_err());
}

pub fn main() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    runtime.block_on(async {
        tokio::spawn(channels()).await.unwrap();
        tokio::spawn(locks()).await.unwrap();
        the_rest().await;
    });
}
