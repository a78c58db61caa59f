//! Forks in a process that has threads.

use std::thread;

fn serve() {
    let worker = thread::spawn(|| println!("works"));
    // SAFETY: it is not: the child may find locks that nobody will release.
    let child = unsafe { libc::fork() }; //~ fork_with_threads
    println!("{child}");
    worker.join().unwrap();
}

fn from_a_thread() {
    thread::spawn(|| {
        fork(); //~ fork_with_threads
    })
    .join()
    .unwrap();
}

fn fork() {
    // SAFETY: see the callers.
    unsafe { libc::fork() };
}
