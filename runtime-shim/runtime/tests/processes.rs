//! Records programs of several processes and reads their traces back.
//!
//! Each test starts this test binary again with a run folder in its environment; the child runs one
//! of the ignored `scenario_…` functions.

use std::ffi::{c_int, c_void};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU64, Ordering};

use snag_runtime::recorder;
use snag_trace::layout::{CLOCK_FILE, CLOCK_MAGIC, CLOCK_SIZE, RUN_ENV, VERSION, clock};
use snag_trace::process::How;
use snag_trace::{Event, Flags, Kind, Mode, ObjectKind, ProcessTrace};

unsafe extern "C" {
    fn fork() -> c_int;
    fn _exit(code: c_int) -> !;
    fn kill(pid: c_int, signal: c_int) -> c_int;
    fn waitpid(pid: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn pipe(ends: *mut c_int) -> c_int;
    fn read(descriptor: c_int, bytes: *mut c_void, len: usize) -> isize;
    fn write(descriptor: c_int, bytes: *const c_void, len: usize) -> isize;
    fn close(descriptor: c_int) -> c_int;
    fn mmap(at: *mut c_void, len: usize, prot: c_int, flags: c_int, fd: c_int, offset: i64) -> *mut c_void;
    fn pthread_mutex_init(mutex: *mut c_void, attributes: *const c_void) -> c_int;
    fn pthread_mutex_lock(mutex: *mut c_void) -> c_int;
    fn pthread_mutex_unlock(mutex: *mut c_void) -> c_int;
    fn pthread_mutexattr_init(attributes: *mut c_void) -> c_int;
    fn pthread_mutexattr_setpshared(attributes: *mut c_void, shared: c_int) -> c_int;
}

const SIGKILL: c_int = 9;

/// The traces of a scenario, in the order of their processes' births.
fn record(scenario: &str) -> Vec<ProcessTrace> {
    let folder = std::env::temp_dir().join(format!("snag-processes-{}-{scenario}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a temporary folder can be made");
    let mut page = vec![0_u8; CLOCK_SIZE];
    page[..8].copy_from_slice(&CLOCK_MAGIC);
    page[clock::VERSION..clock::VERSION + 4].copy_from_slice(&VERSION.to_le_bytes());
    std::fs::write(folder.join(CLOCK_FILE), page).expect("the clock page can be written");
    let status = Command::new(std::env::current_exe().expect("this binary has a path"))
        .args(["--ignored", "--exact", scenario, "--test-threads=1", "-q"])
        .env(RUN_ENV, &folder)
        .status();
    assert!(status.expect("this binary can be started again").success(), "{scenario}");
    let mut traces = decode(&folder);
    traces.sort_by_key(|trace| trace.first_seq);
    let _ = std::fs::remove_dir_all(&folder);
    traces
}

fn decode(folder: &Path) -> Vec<ProcessTrace> {
    let entries = std::fs::read_dir(folder).expect("the run folder is readable");
    let paths = entries.map(|entry| entry.expect("a folder entry").path());
    let is_trace = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "trace");
    let decode = |path: PathBuf| {
        let bytes = std::fs::read(path).expect("the trace is readable");
        ProcessTrace::decode(&bytes).expect("the trace decodes")
    };
    paths.filter(is_trace).map(decode).collect()
}

fn of_kind(trace: &ProcessTrace, kind: Kind) -> Vec<&Event> {
    trace.events.iter().filter(|event| event.kind == kind).collect()
}

/// Zeros that forked processes share.
fn shared_memory() -> *mut c_void {
    const READ_WRITE: c_int = 3;
    const SHARED_ANONYMOUS: c_int = 0x21;
    // SAFETY: a new mapping touches nothing that is there.
    let at = unsafe { mmap(null_mut(), 4096, READ_WRITE, SHARED_ANONYMOUS, -1, 0) };
    assert_ne!(at as usize, usize::MAX);
    at
}

/// Runs `work` in a forked child, which then leaves; gives its number.
fn child(work: impl FnOnce()) -> c_int {
    // SAFETY: what the children here do is made of system calls and the recorder.
    match unsafe { fork() } {
        0 => {
            work();
            // SAFETY: ends the child without the harness's exit handlers.
            unsafe { _exit(0) }
        }
        pid => pid,
    }
}

fn wait_for(pid: c_int) {
    let mut status = 0;
    // SAFETY: the place for the status is valid.
    assert_eq!(unsafe { waitpid(pid, &raw mut status, 0) }, pid);
}

#[test]
#[ignore = "runs in a recorded child"]
fn scenario_pipe() {
    let mut ends = [0; 2];
    // SAFETY: room for two descriptors; all buffers have the lengths that are said.
    unsafe {
        assert_eq!(pipe(ends.as_mut_ptr()), 0);
        let pid = child(|| {
            assert_eq!(write(ends[1], b"five!".as_ptr().cast(), 5), 5);
        });
        close(ends[1]);
        let mut bytes = [0_u8; 9];
        assert_eq!(read(ends[0], bytes.as_mut_ptr().cast(), 9), 5);
        assert_eq!(read(ends[0], bytes.as_mut_ptr().cast(), 9), 0);
        wait_for(pid);
    }
}

#[test]
fn a_child_its_pipe_and_its_end_are_told_by_both_sides() {
    let traces = record("scenario_pipe");
    let [parent, child] = &traces[..] else { panic!("two processes, not {}", traces.len()) };
    let fork = of_kind(parent, Kind::Fork)[0];
    assert_eq!(parent.births[&fork.seq].how, How::Fork);
    assert!(!parent.births[&fork.seq].stack.is_empty());
    assert_eq!(of_kind(child, Kind::ProcessStart)[0].arg, fork.seq);
    assert_eq!(of_kind(parent, Kind::Forked)[0].arg, u64::from(child.pid));
    assert_eq!(of_kind(parent, Kind::Reaped)[0].arg, u64::from(child.pid));
    assert_eq!(child.parent_pid, parent.pid);
    let (write, reads) = (of_kind(child, Kind::StreamWrite), of_kind(parent, Kind::StreamRead));
    assert_eq!((write[0].arg, of_kind(child, Kind::StreamWritten)[0].arg), (5, 5));
    assert_eq!((reads[0].arg, reads[1].arg), (5, 0));
    assert!(write[0].seq < reads[0].seq);
    // Whoever saw the pipe first has said who it is, and a child goes on with its parent's number.
    let who = |trace: &ProcessTrace, event: &Event| {
        trace.shared.get(&event.object).or_else(|| parent.shared.get(&event.object)).copied()
    };
    assert_eq!(who(child, write[0]), who(parent, reads[0]));
    assert!(who(parent, reads[0]).is_some());
}

#[test]
#[ignore = "runs in a recorded child"]
fn scenario_shared_mutex() {
    let mutex = shared_memory();
    let mut attributes = [0_u64; 8];
    // SAFETY: the mutex is initialised before it is used, and outlives its use.
    unsafe {
        pthread_mutexattr_init(attributes.as_mut_ptr().cast());
        pthread_mutexattr_setpshared(attributes.as_mut_ptr().cast(), 1);
        assert_eq!(pthread_mutex_init(mutex.byte_add(128), attributes.as_ptr().cast()), 0);
        let take = || {
            assert_eq!(pthread_mutex_lock(mutex.byte_add(128)), 0);
            assert_eq!(pthread_mutex_unlock(mutex.byte_add(128)), 0);
        };
        let pid = child(take);
        take();
        wait_for(pid);
    }
}

#[test]
fn a_shared_mutex_is_known_by_where_it_is_in_its_memory() {
    let traces = record("scenario_shared_mutex");
    let mutex = traces[0].objects.iter().find(|(_, info)| info.kind == ObjectKind::PthreadMutex);
    let (number, _) = mutex.expect("it was initialised");
    let who = traces[0].shared[number];
    assert_eq!(who.offset, 128);
    assert_ne!(who.inode, 0);
    for trace in &traces {
        let taken =
            trace.events.iter().filter(|event| event.object == *number && event.kind == Kind::Acquire);
        assert_eq!(taken.count(), 1);
    }
}

#[test]
#[ignore = "runs in a recorded child"]
fn scenario_killed_while_it_writes() {
    // SAFETY: mapped, aligned, and never unmapped.
    let count = unsafe { &*shared_memory().cast::<AtomicU64>() };
    let pid = child(|| {
        for number in 1.. {
            recorder::record(Kind::Acquire, Mode::Exclusive, Flags::NONE, 7, None, number);
            count.store(number, Ordering::Release);
        }
    });
    while count.load(Ordering::Acquire) < 10_000 {
        recorder::record(Kind::Release, Mode::Exclusive, Flags::NONE, 7, None, 0);
    }
    // SAFETY: a child of this process that has not been waited for.
    unsafe { kill(pid, SIGKILL) };
    wait_for(pid);
    let reached = count.load(Ordering::Acquire);
    for _ in 0..10_000 {
        recorder::record(Kind::Release, Mode::Exclusive, Flags::NONE, 8, None, reached);
    }
}

#[test]
fn a_process_that_is_killed_in_the_midst_of_writing_loses_nothing_and_blocks_nobody() {
    let traces = record("scenario_killed_while_it_writes");
    let after: Vec<_> = traces[0].events.iter().filter(|event| event.object == 8).collect();
    assert_eq!(after.len(), 10_000);
    let reached = after[0].arg;
    let numbers: Vec<u64> = of_kind(&traces[1], Kind::Acquire).iter().map(|event| event.arg).collect();
    // One more may have been recorded than was counted.
    assert!((reached..=reached + 1).contains(&(numbers.len() as u64)), "{} of {reached}", numbers.len());
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert!(traces[1].damage.is_empty());
}

#[test]
#[ignore = "runs in a recorded child"]
fn scenario_two_hundred() {
    let children: Vec<c_int> = (0..200)
        .map(|number| {
            child(|| {
                recorder::record(Kind::Acquire, Mode::Exclusive, Flags::NONE, 7, None, number);
            })
        })
        .collect();
    for pid in children {
        wait_for(pid);
    }
}

#[test]
fn two_hundred_processes_have_a_trace_each_on_one_clock() {
    let traces = record("scenario_two_hundred");
    assert_eq!(traces.len(), 201);
    let mut seqs: Vec<u64> =
        traces.iter().flat_map(|trace| trace.events.iter().map(|event| event.seq)).collect();
    let count = seqs.len();
    seqs.sort_unstable();
    seqs.dedup();
    assert_eq!(seqs.len(), count);
    let mut told: Vec<u64> =
        traces.iter().flat_map(|trace| of_kind(trace, Kind::Acquire)).map(|event| event.arg).collect();
    told.sort_unstable();
    assert_eq!(told, (0..200).collect::<Vec<_>>());
}
