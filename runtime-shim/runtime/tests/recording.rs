//! Records real processes and reads their traces back.
//!
//! Each test starts this test binary again with a run folder in its environment; the child runs one
//! of the ignored `scenario_…` functions.

use std::ffi::CString;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use snag_runtime::recorder;
use snag_trace::layout::{CLOCK_FILE, CLOCK_MAGIC, CLOCK_SIZE, RUN_ENV, VERSION, clock};
use snag_trace::{Flags, Kind, Mode, ObjectKind, ProcessTrace};

struct Run {
    folder: PathBuf,
    status: ExitStatus,
    traces: Vec<ProcessTrace>,
}

fn run_folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("snag-recording-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a temporary folder can be made");
    let mut page = vec![0_u8; CLOCK_SIZE];
    page[..8].copy_from_slice(&CLOCK_MAGIC);
    page[clock::VERSION..clock::VERSION + 4].copy_from_slice(&VERSION.to_le_bytes());
    std::fs::write(folder.join(CLOCK_FILE), page).expect("the clock page can be written");
    folder
}

fn traces(folder: &Path) -> Vec<ProcessTrace> {
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("the run folder is readable")
        .map(|entry| entry.expect("a folder entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "trace"))
        .collect();
    paths.sort();
    let decode = |path: PathBuf| {
        let bytes = std::fs::read(&path).expect("the trace is readable");
        ProcessTrace::decode(&bytes).expect("the trace decodes")
    };
    paths.into_iter().map(decode).collect()
}

fn record(scenario: &str) -> Run {
    let folder = run_folder(scenario);
    let status = Command::new(std::env::current_exe().expect("this binary has a path"))
        .args(["--ignored", "--exact", scenario, "--test-threads=1", "-q"])
        .env(RUN_ENV, &folder)
        .status()
        .expect("this binary can be started again");
    let traces = traces(&folder);
    Run { folder, status, traces }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn event(object: u32, arg: u64) -> u64 {
    recorder::record(Kind::Acquire, Mode::Exclusive, Flags::NONE, object, None, arg)
}

fn args_of(trace: &ProcessTrace, object: u32) -> Vec<u64> {
    let events = trace.events.iter().filter(|event| event.kind == Kind::Acquire && event.object == object);
    events.map(|event| event.arg).collect()
}

#[test]
#[ignore = "runs in a recorded child"]
fn scenario_many_chunks() {
    let place = core::panic::Location::caller();
    let threads: Vec<_> = (1..=4_u32)
        .map(|object| {
            std::thread::Builder::new()
                .name(format!("a worker with a rather long name {object}"))
                .spawn(move || {
                    for arg in 0..20_000 {
                        recorder::record(
                            Kind::Acquire,
                            Mode::Exclusive,
                            Flags::TIMED,
                            object,
                            Some(place),
                            arg,
                        );
                    }
                })
                .expect("a thread can be started")
        })
        .collect();
    for thread in threads {
        thread.join().expect("a worker does not panic");
    }
}

#[test]
fn all_events_of_all_threads_come_back_in_order() {
    let run = record("scenario_many_chunks");
    assert!(run.status.success());
    let trace = &run.traces[0];
    assert!(trace.damage.is_empty());
    for object in 1..=4 {
        assert_eq!(args_of(trace, object), (0..20_000).collect::<Vec<_>>());
    }
    let seqs: Vec<_> = trace.events.iter().map(|event| event.seq).collect();
    assert!(seqs.is_sorted_by(|a, b| a < b), "sequence numbers are unique and sorted");
    let names: Vec<_> = trace.threads.values().map(|thread| thread.name.as_str()).collect();
    assert!(names.contains(&"a worker with a rather long name 3"), "{names:?}");
    let ends = trace.events.iter().filter(|event| event.kind == Kind::ThreadEnd).count();
    assert!(ends >= 4, "{ends} thread ends");
    let acquired = trace.events.iter().find(|event| event.kind == Kind::Acquire).expect("an acquire");
    let site = &trace.sites[&acquired.site];
    assert!(site.file.ends_with("recording.rs") && acquired.flags == Flags::TIMED);
    assert!(trace.command_line.iter().any(|arg| arg == "scenario_many_chunks"));
}

#[test]
#[ignore = "runs in a recorded child"]
fn scenario_killed() {
    for arg in 0..5000 {
        event(1, arg);
    }
    // SAFETY: raises a signal in this process.
    unsafe { kill(i32::try_from(std::process::id()).expect("a small pid"), 9) };
}

unsafe extern "C" {
    fn kill(pid: i32, signal: i32) -> i32;
    fn fork() -> i32;
    fn waitpid(pid: i32, status: *mut i32, options: i32) -> i32;
    fn _exit(code: i32) -> !;
    fn close_range(first: u32, last: u32, flags: i32) -> i32;
    fn setrlimit(resource: i32, limit: *const [u64; 2]) -> i32;
    fn execv(path: *const core::ffi::c_char, args: *const *const core::ffi::c_char) -> i32;
}

#[test]
fn nothing_recorded_is_lost_to_a_kill() {
    let run = record("scenario_killed");
    assert_eq!(run.status.signal(), Some(9));
    assert_eq!(args_of(&run.traces[0], 1), (0..5000).collect::<Vec<_>>());
    assert!(run.traces[0].damage.is_empty());
}

#[test]
#[ignore = "runs in a recorded child"]
fn scenario_stack_overflow() {
    #[expect(unconditional_recursion, reason = "the overflow is the point")]
    fn deeper(depth: u64) -> u64 {
        event(1, depth);
        std::hint::black_box(deeper(depth + 1)) + 1
    }
    deeper(0);
}

#[test]
fn a_stack_overflow_leaves_a_readable_trace() {
    let run = record("scenario_stack_overflow");
    assert!(!run.status.success());
    let args = args_of(&run.traces[0], 1);
    assert!(args.len() > 100);
    assert_eq!(args, (0..args.len() as u64).collect::<Vec<_>>());
}

#[test]
#[ignore = "runs in a recorded child"]
fn scenario_fork() {
    event(1, 0);
    // SAFETY: the child only records and leaves.
    let child = unsafe { fork() };
    if child == 0 {
        for arg in 0..3000 {
            event(2, arg);
        }
        // SAFETY: ends the child without running the parent's exit handlers.
        unsafe { _exit(0) };
    }
    let mut status = 0;
    // SAFETY: `status` is a valid place for the answer.
    unsafe { waitpid(child, &raw mut status, 0) };
    for arg in 1..3000 {
        event(1, arg);
    }
}

#[test]
fn a_forked_child_has_a_trace_of_its_own() {
    let run = record("scenario_fork");
    assert!(run.status.success());
    let (children, parents): (Vec<_>, Vec<_>) = run.traces.iter().partition(|trace| trace.forked);
    assert_eq!((children.len(), parents.len()), (1, 1));
    assert_eq!(args_of(children[0], 2), (0..3000).collect::<Vec<_>>());
    assert_eq!(args_of(parents[0], 1), (0..3000).collect::<Vec<_>>());
    assert!(args_of(parents[0], 2).is_empty());
    assert_eq!(children[0].parent_pid, parents[0].pid);
}

#[test]
#[ignore = "runs in a recorded child"]
fn scenario_closed_descriptors() {
    event(1, 0);
    // SAFETY: nothing of this process needs a descriptor from here on but the harness's output.
    unsafe { close_range(3, u32::MAX, 0) };
    for arg in 1..10_000 {
        event(1, arg);
    }
}

#[test]
fn closed_descriptors_do_not_stop_the_recording() {
    let run = record("scenario_closed_descriptors");
    assert_eq!(args_of(&run.traces[0], 1), (0..10_000).collect::<Vec<_>>());
}

#[test]
#[ignore = "runs in a recorded child"]
fn scenario_no_space() {
    const RLIMIT_FSIZE: i32 = 1;
    let limit = [300_000; 2];
    // SAFETY: the limit is a valid pair of numbers.
    unsafe { setrlimit(RLIMIT_FSIZE, &raw const limit) };
    for arg in 0..100_000 {
        event(1, arg);
    }
}

#[test]
fn without_space_the_program_goes_on_and_the_trace_says_so() {
    let run = record("scenario_no_space");
    assert!(run.status.success(), "{:?}", run.status);
    let trace = &run.traces[0];
    assert_eq!(trace.state, snag_trace::layout::state::DISK_FULL);
    let args = args_of(trace, 1);
    assert!(args.len() > 1000 && args.len() < 100_000);
    assert_eq!(args, (0..args.len() as u64).collect::<Vec<_>>());
}

#[test]
#[ignore = "runs in a recorded child"]
fn scenario_exec() {
    event(1, 0);
    let path = CString::new("/bin/true").expect("no NUL inside");
    let args = [path.as_ptr(), core::ptr::null()];
    // SAFETY: both pointers are valid and NULL-terminated.
    unsafe { execv(path.as_ptr(), args.as_ptr()) };
}

#[test]
fn what_was_recorded_before_an_exec_stays() {
    let run = record("scenario_exec");
    assert!(run.status.success());
    assert_eq!(args_of(&run.traces[0], 1), [0]);
}

#[test]
#[ignore = "runs in a recorded child"]
fn scenario_objects() {
    // What stands at a semaphore's address is looked at.
    let there = [0_u64; 8];
    let address = (&raw const there).addr();
    let place = Some(core::panic::Location::caller());
    let first = recorder::objects::by_address(ObjectKind::Once, address, place);
    assert_eq!(recorder::objects::by_address(ObjectKind::Once, address, place), first);
    let second = recorder::objects::renew(ObjectKind::Once, address, place);
    assert_ne!(first, second);
    recorder::objects::end(address, place);
    assert_ne!(recorder::objects::by_address(ObjectKind::Semaphore, address, place), second);
}

#[test]
fn objects_by_address_begin_and_end() {
    let run = record("scenario_objects");
    assert!(run.status.success());
    let kinds: Vec<_> = run.traces[0].objects.values().map(|object| object.kind).collect();
    assert!(kinds.ends_with(&[ObjectKind::Once, ObjectKind::Once, ObjectKind::Semaphore]), "{kinds:?}");
}

#[test]
fn without_a_run_nothing_is_recorded() {
    assert_eq!(event(1, 0), 0);
    assert_eq!(recorder::current_thread(), 0);
}
