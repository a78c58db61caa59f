//! A child of a fork has one thread and all primitives, whatever the parent's other threads were at.

use std::sync::{Barrier, Condvar, LazyLock, Mutex, Once, RwLock, mpsc};
use std::thread;
use std::time::Duration;

unsafe extern "C" {
    fn fork() -> i32;
    fn waitpid(pid: i32, status: *mut i32, options: i32) -> i32;
    fn _exit(code: i32) -> !;
}

static MUTEX: Mutex<u32> = Mutex::new(0);
static CONDVAR: Condvar = Condvar::new();
static RWLOCK: RwLock<u32> = RwLock::new(0);
static ONCE: Once = Once::new();
static LAZY: LazyLock<u32> = LazyLock::new(|| 5);
static WAITS: Mutex<bool> = Mutex::new(true);
static NEVER: Condvar = Condvar::new();

fn child() -> i32 {
    *MUTEX.lock().unwrap() += 1;
    *RWLOCK.write().unwrap() += *LAZY;
    ONCE.call_once(|| *RWLOCK.write().unwrap() += 1);
    let guard = MUTEX.lock().unwrap();
    let (guard, result) = CONDVAR.wait_timeout(guard, Duration::from_millis(5)).unwrap();
    assert!(result.timed_out() && *guard == 1);
    drop(guard);
    let (sender, receiver) = mpsc::sync_channel(0);
    let barrier = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            sender.send(7).unwrap();
            barrier.wait();
            let mut guard = MUTEX.lock().unwrap();
            while *guard == 1 {
                guard = CONDVAR.wait(guard).unwrap();
            }
        });
        assert_eq!(receiver.recv(), Ok(7));
        barrier.wait();
        *MUTEX.lock().unwrap() = 2;
        CONDVAR.notify_all();
    });
    i32::try_from(*RWLOCK.read().unwrap()).unwrap()
}

pub fn main() {
    let waiter = thread::spawn(|| {
        let _guard = NEVER.wait_while(WAITS.lock().unwrap(), |waits| *waits).unwrap();
    });
    thread::sleep(Duration::from_millis(5));
    // SAFETY: the child uses nothing that another thread of the parent holds.
    let pid = unsafe { fork() };
    if pid == 0 {
        let code = child();
        // SAFETY: ends the child without the parent's exit handlers.
        unsafe { _exit(code) };
    }
    let mut status = 0;
    // SAFETY: the status may be written.
    unsafe { waitpid(pid, &mut status, 0) };
    println!("child's status {status:#x}");
    *WAITS.lock().unwrap() = false;
    NEVER.notify_one();
    waiter.join().unwrap();
    println!("{:?} {:?} {}", MUTEX, RWLOCK, ONCE.is_completed());
}
