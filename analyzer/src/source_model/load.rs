//! Reading and extracting many files on all cores, with what was extracted before taken from a cache.
//!
//! Invariants:
//! * A file's facts are found by a hash of its text and edition, so that a cache can be old, or another
//!   project's, and never wrong.
//! * A cache that cannot be read or written costs time and nothing else.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::extract::{self, Edition, extract};
use super::facts::FileFacts;

/// Raise it when facts change.
const VERSION: u64 = 2;
/// In how many files the cache is: one of them is rewritten when a source file changes.
const SHARDS: usize = 16;

/// Facts of one file.
#[derive(Debug)]
pub struct Loaded {
    /// Its path.
    pub path: PathBuf,
    /// What it says.
    pub facts: FileFacts,
}

/// What was read, by path.
#[derive(Debug, Default)]
pub struct Stats {
    /// Files.
    pub files: u64,
    /// Lines.
    pub lines: u64,
    /// Files that had to be parsed.
    pub parsed: u64,
}

type Key = [u8; 16];

/// The cache: facts of files by hash, in the form in which they are stored.
#[derive(Debug, Default)]
struct Cache {
    shards: Vec<HashMap<Key, Vec<u8>>>,
}

impl Cache {
    fn load(folder: Option<&Path>) -> Cache {
        let shard = |number| {
            let bytes = fs::read(shard_file(folder?, number)).ok()?;
            postcard::from_bytes::<HashMap<Key, Vec<u8>>>(&bytes).ok()
        };
        Cache { shards: (0..SHARDS).map(|number| shard(number).unwrap_or_default()).collect() }
    }

    fn get(&self, key: &Key) -> Option<FileFacts> {
        postcard::from_bytes(self.shards[shard_of(key)].get(key)?).ok()
    }
}

fn shard_of(key: &Key) -> usize {
    usize::from(key[0]) % SHARDS
}

fn shard_file(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("facts-{VERSION}-{number}"))
}

/// Writes the shards that have changed: what is in use now, nothing else.
fn save(folder: &Path, used: &[(Key, Option<Vec<u8>>)], before: &Cache) {
    let mut shards: Vec<HashMap<&Key, &Vec<u8>>> = vec![HashMap::new(); SHARDS];
    let mut changed = [false; SHARDS];
    for (key, new) in used {
        let shard = shard_of(key);
        changed[shard] |= new.is_some();
        if let Some(bytes) = new.as_ref().or_else(|| before.shards[shard].get(key)) {
            shards[shard].insert(key, bytes);
        }
    }
    if fs::create_dir_all(folder).is_err() {
        return;
    }
    for (number, shard) in shards.iter().enumerate().filter(|(number, _)| changed[*number]) {
        let Ok(bytes) = postcard::to_stdvec(shard) else { continue };
        // Another process may be writing as well.
        let temporary = folder.join(format!("{}-{number}.tmp", std::process::id()));
        if fs::write(&temporary, bytes).is_ok() {
            let _ = fs::rename(&temporary, shard_file(folder, number));
        }
    }
}

/// Calls `work` for each of `count` numbers, on all cores, with stacks that any source can be parsed on.
/// Results are in the order of the numbers.
pub fn in_parallel<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, T)>> = Mutex::new(Vec::with_capacity(count));
    let run = || {
        let mut own = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                break;
            }
            own.push((number, work(number)));
        }
        results.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(own);
    };
    let cores = thread::available_parallelism().map_or(1, usize::from).min(count.max(1));
    thread::scope(|scope| {
        for _ in 0..cores {
            let builder = thread::Builder::new().stack_size(extract::STACK);
            builder.spawn_scoped(scope, run).expect("the system has no thread to spare");
        }
    });
    let mut results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    results.sort_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, value)| value).collect()
}

/// The facts of all these files; a file that cannot be read has a `problem`.
#[must_use]
pub fn load(files: &[(PathBuf, Edition)], cache: Option<&Path>) -> (Vec<Loaded>, Stats) {
    let known = Cache::load(cache);
    let results = in_parallel(files.len(), |number| {
        let (path, edition) = &files[number];
        let (key, facts, new) = one(path, *edition, &known, cache.is_some());
        (Loaded { path: path.clone(), facts }, key, new)
    });
    let mut stats = Stats { files: files.len() as u64, ..Stats::default() };
    let mut used = Vec::with_capacity(results.len());
    let mut loaded = Vec::with_capacity(results.len());
    for (file, key, new) in results {
        stats.lines += u64::from(file.facts.lines);
        stats.parsed += u64::from(new.is_some());
        used.push((key, new));
        loaded.push(file);
    }
    if let Some(folder) = cache.filter(|_| stats.parsed > 0) {
        save(folder, &used, &known);
    }
    (loaded, stats)
}

fn one(path: &Path, edition: Edition, known: &Cache, keep: bool) -> (Key, FileFacts, Option<Vec<u8>>) {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            let problem = Some(format!("it cannot be read: {error}"));
            return (Key::default(), FileFacts { problem, ..FileFacts::default() }, None);
        }
    };
    let key = xxh3_128_with_seed(&bytes, VERSION * 8 + edition as u64).to_le_bytes();
    if let Some(facts) = known.get(&key) {
        return (key, facts, None);
    }
    let facts = match std::str::from_utf8(&bytes) {
        Ok(text) => extract(text, edition),
        Err(_) => FileFacts { problem: Some("it is not UTF-8".to_owned()), ..FileFacts::default() },
    };
    let stored = if keep { postcard::to_stdvec(&facts).unwrap_or_default() } else { Vec::new() };
    (key, facts, Some(stored))
}
