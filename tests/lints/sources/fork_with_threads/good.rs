//! Forks before there are threads, and after they have ended.

use std::thread;

fn first() {
    // SAFETY: there are no threads yet.
    let child = unsafe { libc::fork() };
    thread::spawn(move || println!("{child}")).join().unwrap();
}

fn last() {
    let worker = thread::spawn(|| println!("works"));
    worker.join().unwrap();
    // SAFETY: there are no threads any more.
    unsafe { libc::fork() };
}
