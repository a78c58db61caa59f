//! The measured program: one line per case, `name nanoseconds-per-operation`.
//! Compiled against the plain std and against the facade.

use std::hint::black_box;
use std::sync::{Arc, LazyLock, Mutex, RwLock, mpsc};
use std::time::Instant;

fn case(name: &str, operations: u64, body: impl FnOnce()) {
    let start = Instant::now();
    body();
    println!("{name} {:.2}", start.elapsed().as_nanos() as f64 / operations as f64);
}

fn main() {
    const N: u64 = 1_000_000;
    let mutex = Mutex::new(0_u64);
    case("mutex_lock_unlock", N, || {
        for _ in 0..N {
            drop(black_box(mutex.lock().unwrap()));
        }
    });
    case("mutex_lock_add_unlock", N, || {
        for _ in 0..N {
            *black_box(mutex.lock().unwrap()) += 1;
        }
    });
    let rwlock = RwLock::new(0_u64);
    case("rwlock_read_unlock", N, || {
        for _ in 0..N {
            drop(black_box(rwlock.read().unwrap()));
        }
    });
    static TABLE: LazyLock<u64> = LazyLock::new(|| 7);
    case("lazy_lock_deref", N, || {
        for _ in 0..N {
            black_box(*TABLE);
        }
    });
    let (sender, receiver) = mpsc::channel();
    case("channel_send_receive", N, || {
        for value in 0..N {
            sender.send(value).unwrap();
            black_box(receiver.recv().unwrap());
        }
    });
    const SPAWNS: u64 = 2_000;
    case("thread_spawn_join", SPAWNS, || {
        for _ in 0..SPAWNS {
            std::thread::spawn(|| ()).join().unwrap();
        }
    });
    let shared = Arc::new(Mutex::new(0_u64));
    case("mutex_two_threads", 2 * N, || {
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..N {
                        *shared.lock().unwrap() += 1;
                    }
                });
            }
        });
    });
}
