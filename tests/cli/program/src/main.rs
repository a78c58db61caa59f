//! A program that ends in the way its first argument names.

use std::env;
use std::ffi::c_int;
use std::io::{self, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{self, Command};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

unsafe extern "C" {
    fn close(descriptor: c_int) -> c_int;
    fn daemon(keep_folder: c_int, keep_streams: c_int) -> c_int;
    fn raise(signal: c_int) -> c_int;
}

static COUNT: Mutex<u32> = Mutex::new(0);
static OTHER: Mutex<u32> = Mutex::new(0);

fn main() {
    let mode = env::args().nth(1).unwrap_or_default();
    let number = env::args().nth(2).and_then(|number| number.parse().ok()).unwrap_or(0);
    count_in_two_threads(1);
    match mode.as_str() {
        "exit" => process::exit(number),
        "abort" => process::abort(),
        "panic" => panic!("as asked"),
        "raise" => drop(unsafe { raise(number) }),
        "overflow" => println!("{}", descend(1)),
        "exec" => drop(Command::new("sh").args(["-c", "echo replaced; exit 3"]).exec()),
        "exec-self" => drop(Command::new("/proc/self/exe").args(["exit", "4"]).exec()),
        "close" => close_everything(),
        "daemon" => daemonise(),
        "children" => children(),
        "await" => await_a_child_that_hangs(),
        "watch" => watch_a_child_that_hangs(),
        "many" => count_in_two_threads(50_000),
        "echo" => echo(),
        "sleep" => sleep_in_pieces(),
        "deadlock" => deadlock(),
        "loud" => println!("loud: {}", cfg!(feature = "loud")),
        _ => {}
    }
}

fn count_in_two_threads(rounds: u32) {
    let count = || (0..rounds).for_each(|_| *COUNT.lock().unwrap() += 1);
    thread::scope(|scope| {
        scope.spawn(count);
        scope.spawn(count);
    });
}

fn descend(depth: u64) -> u64 {
    let room = [depth; 64];
    if depth == 0 { 0 } else { descend(depth + 1) + room[depth as usize % 64] }
}

/// All of them, as a careful daemon does, and works on.
fn close_everything() {
    for descriptor in 0..1024 {
        unsafe { close(descriptor) };
    }
    count_in_two_threads(20_000);
    process::exit(5);
}

/// Goes to the background, where it works on for a while.
fn daemonise() {
    unsafe { daemon(1, 0) };
    for _ in 0..40 {
        count_in_two_threads(1);
        thread::sleep(Duration::from_millis(50));
    }
}

fn children() {
    let child = |mode: &str| Command::new("/proc/self/exe").arg(mode).status().unwrap();
    child("exit");
    child("abort");
}

fn child_that_hangs() -> process::Child {
    Command::new("/proc/self/exe").arg("deadlock").spawn().unwrap()
}

fn await_a_child_that_hangs() {
    println!("{}", child_that_hangs().wait().unwrap());
}

/// As a test does that wants to see a deadlock.
fn watch_a_child_that_hangs() {
    let mut child = child_that_hangs();
    thread::sleep(Duration::from_secs(2));
    println!("{:?}", child.try_wait().unwrap());
    child.kill().unwrap();
    child.wait().unwrap();
}

fn echo() {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).unwrap();
    io::stdout().write_all(text.as_bytes()).unwrap();
    io::stderr().write_all(b"to stderr\n").unwrap();
}

fn sleep_in_pieces() {
    println!("sleeping");
    for _ in 0..600 {
        count_in_two_threads(1);
        thread::sleep(Duration::from_millis(50));
    }
}

/// Two threads that take two locks in opposite orders, each once the other has its first.
fn deadlock() {
    let both = std::sync::Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            let _count = COUNT.lock().unwrap();
            both.wait();
            let _other = OTHER.lock().unwrap();
        });
        scope.spawn(|| {
            let _other = OTHER.lock().unwrap();
            both.wait();
            let _count = COUNT.lock().unwrap();
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_counts() {
        count_in_two_threads(3);
        assert!(*COUNT.lock().unwrap() >= 6);
    }

    #[test]
    #[ignore = "to be asked for"]
    fn asked_for() {
        panic!("as asked");
    }
}
