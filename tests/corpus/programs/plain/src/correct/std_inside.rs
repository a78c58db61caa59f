//! Correct: what std does inside, from several threads: printing, formatting, maps, environment,
//! backtraces, current folder, time, random states, errors.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::Barrier;
use std::time::{Duration, Instant, SystemTime};
use std::{backtrace, env, fs, io, thread};

fn everything(index: usize) -> usize {
    let mut map = HashMap::new();
    for key in 0..100 {
        map.insert(key, format!("{index} {key:>5} {:?}", Some(key as f64 / 3.0)));
    }
    let sorted: BTreeMap<_, _> = map.iter().collect();
    let mut text = String::new();
    for (key, value) in &sorted {
        write!(text, "{key}={value}").unwrap();
    }
    println!("{index}: {} {:?}", text.len(), thread::current().name());
    eprintln!("{index}: {:?}", thread::current().id());
    let trace = backtrace::Backtrace::force_capture().to_string();
    let path = env::var_os("PATH").unwrap_or_default();
    let here = env::current_dir().unwrap();
    let gone = fs::read("/no such file").map_err(|error| error.kind());
    assert_eq!(gone, Err(io::ErrorKind::NotFound));
    assert!(Instant::now().elapsed() < Duration::from_secs(60));
    assert!(SystemTime::now() > SystemTime::UNIX_EPOCH);
    trace.len() + path.len() + here.as_os_str().len()
}

pub fn main() {
    let start = Barrier::new(3);
    thread::scope(|scope| {
        for index in 0..3 {
            let start = &start;
            scope.spawn(move || {
                start.wait();
                everything(index)
            });
        }
    });
}
