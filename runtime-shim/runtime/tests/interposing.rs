//! Calls C's locks from a recorded process and reads its trace back.
//!
//! Each test starts this test binary again with a run folder in its environment; the child runs one
//! of the ignored `scenario_…` functions. Each scenario is also run without recording: what libc's
//! functions give must be the same.

use std::ffi::{c_int, c_uint, c_void};
use std::path::Path;
use std::process::Command;
use std::ptr::null_mut;

// Only its definitions of C's functions are used here.
use snag_runtime as _;
use snag_trace::layout::{CLOCK_FILE, CLOCK_MAGIC, CLOCK_SIZE, RUN_ENV, VERSION, clock};
use snag_trace::{Event, Kind, Mode, ObjectKind, ProcessTrace};

/// Room for any of C's types here, zeroed as their static initialisers are.
#[repr(C, align(8))]
struct Opaque([u32; 16]);

const fn opaque() -> Opaque {
    Opaque([0; 16])
}

const EBUSY: c_int = 16;
const EAGAIN: c_int = 11;
const EPERM: c_int = 1;
const EDEADLK: c_int = 35;

unsafe extern "C" {
    fn pthread_mutex_lock(mutex: *mut Opaque) -> c_int;
    fn pthread_mutex_trylock(mutex: *mut Opaque) -> c_int;
    fn pthread_mutex_unlock(mutex: *mut Opaque) -> c_int;
    fn pthread_mutex_init(mutex: *mut Opaque, attributes: *const Opaque) -> c_int;
    fn pthread_mutex_destroy(mutex: *mut Opaque) -> c_int;
    fn pthread_mutexattr_init(attributes: *mut Opaque) -> c_int;
    fn pthread_mutexattr_settype(attributes: *mut Opaque, kind: c_int) -> c_int;
    fn pthread_rwlock_rdlock(lock: *mut Opaque) -> c_int;
    fn pthread_rwlock_wrlock(lock: *mut Opaque) -> c_int;
    fn pthread_rwlock_unlock(lock: *mut Opaque) -> c_int;
    fn pthread_cond_wait(condvar: *mut Opaque, mutex: *mut Opaque) -> c_int;
    fn pthread_cond_signal(condvar: *mut Opaque) -> c_int;
    fn pthread_cond_broadcast(condvar: *mut Opaque) -> c_int;
    fn sem_init(semaphore: *mut Opaque, shared: c_int, value: c_uint) -> c_int;
    fn sem_wait(semaphore: *mut Opaque) -> c_int;
    fn sem_trywait(semaphore: *mut Opaque) -> c_int;
    fn sem_post(semaphore: *mut Opaque) -> c_int;
    fn pthread_create(
        thread: *mut usize,
        attributes: *const c_void,
        start: extern "C-unwind" fn(*mut c_void) -> *mut c_void,
        argument: *mut c_void,
    ) -> c_int;
    fn pthread_join(thread: usize, result: *mut *mut c_void) -> c_int;
    fn pthread_cancel(thread: usize) -> c_int;
    fn pthread_self() -> usize;
    fn pthread_setname_np(thread: usize, name: *const core::ffi::c_char) -> c_int;
}

/// The trace of a recorded child, after the same scenario passed without recording.
fn record(scenario: &str) -> ProcessTrace {
    let folder = std::env::temp_dir().join(format!("snag-interposing-{}-{scenario}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a temporary folder can be made");
    let mut page = vec![0_u8; CLOCK_SIZE];
    page[..8].copy_from_slice(&CLOCK_MAGIC);
    page[clock::VERSION..clock::VERSION + 4].copy_from_slice(&VERSION.to_le_bytes());
    std::fs::write(folder.join(CLOCK_FILE), page).expect("the clock page can be written");
    for run in [None, Some(&folder)] {
        let mut child = Command::new(std::env::current_exe().expect("this binary has a path"));
        child.args(["--ignored", "--exact", scenario, "--test-threads=1", "-q"]).env_remove(RUN_ENV);
        let status = child.envs(run.map(|folder| (RUN_ENV, folder))).status();
        assert!(status.expect("this binary can be started again").success(), "{scenario}, recorded: {run:?}");
    }
    let trace = decode(&folder);
    let _ = std::fs::remove_dir_all(&folder);
    trace
}

fn decode(folder: &Path) -> ProcessTrace {
    let entries = std::fs::read_dir(folder).expect("the run folder is readable");
    let mut paths = entries.map(|entry| entry.expect("a folder entry").path());
    let trace = paths.find(|path| path.extension().is_some_and(|extension| extension == "trace"));
    let bytes = std::fs::read(trace.expect("there is a trace")).expect("the trace is readable");
    ProcessTrace::decode(&bytes).expect("the trace decodes")
}

/// Events of all objects of a kind.
fn events(trace: &ProcessTrace, kind: ObjectKind) -> Vec<&Event> {
    let is_of_kind =
        |event: &&Event| trace.objects.get(&event.object).is_some_and(|object| object.kind == kind);
    trace.events.iter().filter(is_of_kind).collect()
}

fn kinds(trace: &ProcessTrace, kind: ObjectKind) -> Vec<(Kind, Mode)> {
    events(trace, kind).iter().map(|event| (event.kind, event.mode)).collect()
}

#[test]
#[ignore = "runs in a recorded child"]
fn scenario_mutex() {
    let mut mutex = opaque();
    // SAFETY: an all-zero mutex is initialised; it outlives its use.
    unsafe {
        assert_eq!(pthread_mutex_lock(&raw mut mutex), 0);
        assert_eq!(pthread_mutex_trylock(&raw mut mutex), EBUSY);
        assert_eq!(pthread_mutex_unlock(&raw mut mutex), 0);
        assert_eq!(pthread_mutex_destroy(&raw mut mutex), 0);
    }
}

#[test]
fn a_mutex_is_held_from_lock_to_unlock_and_ends_when_it_is_destroyed() {
    let trace = record("scenario_mutex");
    let expected = [
        (Kind::Acquire, Mode::Exclusive),
        (Kind::Write, Mode::None),
        (Kind::GiveUp, Mode::Exclusive),
        (Kind::Release, Mode::Exclusive),
        (Kind::ObjectEnd, Mode::None),
    ];
    assert_eq!(kinds(&trace, ObjectKind::PthreadMutex), expected);
    for event in events(&trace, ObjectKind::PthreadMutex) {
        let address = &trace.code_sites.get(&event.site).expect("the caller is known by its code")[0];
        assert!(*address > trace.load_base, "{event:?} was called from {address:#x}");
    }
}

#[test]
#[ignore = "runs in a recorded child"]
fn scenario_recursive_mutex() {
    const RECURSIVE: c_int = 1;
    const ERROR_CHECKING: c_int = 2;
    // SAFETY: both mutexes are initialised and outlive their use.
    unsafe {
        for (kind, again) in [(RECURSIVE, 0), (ERROR_CHECKING, EDEADLK)] {
            let (mut mutex, mut attributes) = (opaque(), opaque());
            pthread_mutexattr_init(&raw mut attributes);
            pthread_mutexattr_settype(&raw mut attributes, kind);
            assert_eq!(pthread_mutex_init(&raw mut mutex, &raw const attributes), 0);
            assert_eq!(pthread_mutex_lock(&raw mut mutex), 0);
            assert_eq!(pthread_mutex_lock(&raw mut mutex), again);
            if again == 0 {
                assert_eq!(pthread_mutex_unlock(&raw mut mutex), 0);
            }
            assert_eq!(pthread_mutex_unlock(&raw mut mutex), 0);
            assert_eq!(pthread_mutex_unlock(&raw mut mutex), EPERM);
        }
    }
}

#[test]
fn nested_and_refused_operations_are_not_taken_for_holds() {
    let trace = record("scenario_recursive_mutex");
    let found = kinds(&trace, ObjectKind::PthreadMutex);
    let hold = [(Kind::Acquire, Mode::Exclusive), (Kind::Write, Mode::None)];
    let release = [(Kind::Release, Mode::Exclusive)];
    let refused = [(Kind::Request, Mode::Exclusive), (Kind::GiveUp, Mode::Exclusive)];
    assert_eq!(found, [&hold[..], &release, &hold, &refused, &release].concat());
}

#[test]
#[ignore = "runs in a recorded child"]
fn scenario_rwlock() {
    let mut lock = opaque();
    // SAFETY: an all-zero lock is initialised; it outlives its use.
    unsafe {
        assert_eq!(pthread_rwlock_rdlock(&raw mut lock), 0);
        assert_eq!(pthread_rwlock_unlock(&raw mut lock), 0);
        assert_eq!(pthread_rwlock_wrlock(&raw mut lock), 0);
        assert_eq!(pthread_rwlock_wrlock(&raw mut lock), EDEADLK);
        assert_eq!(pthread_rwlock_unlock(&raw mut lock), 0);
    }
}

#[test]
fn a_rwlock_is_released_in_the_mode_in_which_it_was_held() {
    let expected = [
        (Kind::Acquire, Mode::Shared),
        (Kind::Read, Mode::None),
        (Kind::Release, Mode::Shared),
        (Kind::Acquire, Mode::Exclusive),
        (Kind::Write, Mode::None),
        (Kind::Request, Mode::Exclusive),
        (Kind::GiveUp, Mode::Exclusive),
        (Kind::Release, Mode::Exclusive),
    ];
    assert_eq!(kinds(&record("scenario_rwlock"), ObjectKind::PthreadRwLock), expected);
}

/// A condition variable, its mutex, and whether it came true.
struct Condition(Opaque, Opaque, bool);

#[test]
#[ignore = "runs in a recorded child"]
fn scenario_condvar() {
    let condition = &raw mut *Box::leak(Box::new(Condition(opaque(), opaque(), false)));
    let address = condition.expose_provenance();
    // SAFETY: the condition lives for ever, and its flag is changed under the mutex.
    unsafe {
        assert_eq!(pthread_cond_broadcast(&raw mut (*condition).0), 0);
        pthread_mutex_lock(&raw mut (*condition).1);
        let notifier = std::thread::spawn(move || {
            let condition = std::ptr::with_exposed_provenance_mut::<Condition>(address);
            pthread_mutex_lock(&raw mut (*condition).1);
            (*condition).2 = true;
            pthread_cond_signal(&raw mut (*condition).0);
            pthread_mutex_unlock(&raw mut (*condition).1);
        });
        while !(*condition).2 {
            pthread_cond_wait(&raw mut (*condition).0, &raw mut (*condition).1);
        }
        pthread_mutex_unlock(&raw mut (*condition).1);
        notifier.join().expect("it does not panic");
    }
}

#[test]
fn a_notify_says_how_many_wait_and_a_wait_gives_up_its_mutex() {
    let trace = record("scenario_condvar");
    let found: Vec<_> = events(&trace, ObjectKind::PthreadCondvar);
    let what: Vec<_> = found.iter().map(|event| event.kind).collect();
    assert_eq!(what, [Kind::NotifyAll, Kind::WaitBegin, Kind::NotifyOne, Kind::WaitEnd]);
    assert_eq!((found[0].arg, found[2].arg), (0, 1), "waiters at the notifies");
    let (begin, end) = (found[1], found[3]);
    let waiting = trace.events.iter().filter(|event| event.thread == begin.thread);
    let meanwhile: Vec<_> = waiting
        .filter(|event| u64::from(event.object) == begin.arg && (begin.seq..end.seq + 2).contains(&event.seq))
        .map(|event| event.kind)
        .collect();
    assert_eq!(meanwhile, [Kind::Release, Kind::Acquire]);
}

unsafe extern "C" {
    fn __errno_location() -> *mut c_int;
}

#[test]
#[ignore = "runs in a recorded child"]
fn scenario_semaphore() {
    let semaphore = &raw mut *Box::leak(Box::new(opaque()));
    let address = semaphore.expose_provenance();
    // SAFETY: the semaphore lives for ever; `errno` is the calling thread's.
    unsafe {
        assert_eq!(sem_init(semaphore, 0, 1), 0);
        assert_eq!(sem_wait(semaphore), 0);
        assert_eq!(sem_trywait(semaphore), -1);
        assert_eq!(*__errno_location(), EAGAIN);
        *__errno_location() = 77;
        let poster = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(20));
            sem_post(std::ptr::with_exposed_provenance_mut(address))
        });
        assert_eq!(sem_wait(semaphore), 0);
        assert_eq!(*__errno_location(), 77, "success leaves errno alone");
        assert_eq!(poster.join().expect("it does not panic"), 0);
    }
}

#[test]
fn a_permit_is_taken_by_one_thread_and_given_by_another() {
    let trace = record("scenario_semaphore");
    let found = kinds(&trace, ObjectKind::Semaphore);
    let kinds: Vec<_> = found.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [Kind::Acquire, Kind::GiveUp, Kind::Request, Kind::Release, Kind::Acquire]);
    assert!(found.iter().all(|(_, mode)| *mode == Mode::Permit));
}

extern "C-unwind" fn wait_for_ever(semaphore: *mut c_void) -> *mut c_void {
    // SAFETY: the semaphore lives for ever.
    unsafe { sem_wait(semaphore.cast()) };
    null_mut()
}

#[test]
#[ignore = "runs in a recorded child"]
fn scenario_cancelled_wait() {
    let semaphore = &raw mut *Box::leak(Box::new(opaque()));
    let (mut thread, mut result) = (0, null_mut());
    // SAFETY: the semaphore lives for ever; the thread is joined once and its frames have nothing to
    // drop.
    unsafe {
        sem_init(semaphore, 0, 0);
        assert_eq!(pthread_create(&raw mut thread, null_mut(), wait_for_ever, semaphore.cast()), 0);
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert_eq!(pthread_cancel(thread), 0);
        assert_eq!(pthread_join(thread, &raw mut result), 0);
    }
    assert_eq!(result.addr(), usize::MAX, "the thread was cancelled");
}

#[test]
fn a_cancelled_wait_ends_its_thread_and_nothing_else() {
    let trace = record("scenario_cancelled_wait");
    let found = events(&trace, ObjectKind::Semaphore);
    assert_eq!(found.iter().map(|event| event.kind).collect::<Vec<_>>(), [Kind::Request]);
    let ended = |event: &&Event| event.thread == found[0].thread && event.kind == Kind::ThreadEnd;
    assert_eq!(trace.events.iter().filter(ended).count(), 1);
}

#[test]
fn a_thread_of_c_has_its_creation_its_parent_and_its_join() {
    let trace = record("scenario_cancelled_wait");
    let child = events(&trace, ObjectKind::Semaphore)[0].thread;
    let about =
        |kind| trace.events.iter().find(move |event| event.kind == kind && event.arg == u64::from(child));
    let (spawn, join) = (about(Kind::Spawn).expect("created"), about(Kind::Join).expect("joined"));
    assert_eq!(trace.threads[&child].parent, spawn.thread);
    let own = |kind| trace.events.iter().find(move |event| event.kind == kind && event.thread == child);
    assert!(spawn.seq < own(Kind::ThreadStart).expect("started").seq);
    assert!(own(Kind::ThreadEnd).expect("ended").seq < join.seq);
}

#[test]
#[ignore = "runs in a recorded child"]
fn scenario_named_late() {
    extern "C-unwind" fn named_late(semaphore: *mut c_void) -> *mut c_void {
        // SAFETY: the semaphore lives for ever, and the name is short enough.
        unsafe {
            sem_trywait(semaphore.cast());
            pthread_setname_np(pthread_self(), c"late".as_ptr());
            sem_trywait(semaphore.cast());
        }
        null_mut()
    }
    let create = || {
        let semaphore = &raw mut *Box::leak(Box::new(opaque()));
        let mut thread = 0;
        // SAFETY: the semaphore lives for ever; the thread is joined once.
        unsafe {
            sem_init(semaphore, 0, 0);
            assert_eq!(pthread_create(&raw mut thread, null_mut(), named_late, semaphore.cast()), 0);
            assert_eq!(pthread_join(thread, null_mut()), 0);
        }
    };
    std::thread::Builder::new()
        .name("creator".to_owned())
        .spawn(create)
        .expect("starts")
        .join()
        .expect("ends");
}

#[test]
fn a_thread_has_its_own_name_and_never_its_creators() {
    let trace = record("scenario_named_late");
    let child = events(&trace, ObjectKind::Semaphore)[0].thread;
    assert_eq!(trace.threads[&child].name, "late");
    assert_eq!(trace.threads[&trace.threads[&child].parent].name, "creator");
}

#[test]
#[ignore = "runs in a recorded child"]
fn scenario_silent_thread() {
    extern "C-unwind" fn nothing(_: *mut c_void) -> *mut c_void {
        null_mut()
    }
    let mut thread = 0;
    // SAFETY: the thread does nothing and is joined once.
    unsafe {
        assert_eq!(pthread_create(&raw mut thread, null_mut(), nothing, null_mut()), 0);
        assert_eq!(pthread_join(thread, null_mut()), 0);
    }
}

#[test]
fn a_thread_that_records_nothing_has_a_beginning_and_an_end() {
    let trace = record("scenario_silent_thread");
    let spawned = trace.events.iter().rfind(|event| event.kind == Kind::Spawn).expect("one was");
    let of_it = trace.events.iter().filter(|event| u64::from(event.thread) == spawned.arg);
    assert_eq!(of_it.map(|event| event.kind).collect::<Vec<_>>(), [Kind::ThreadStart, Kind::ThreadEnd]);
}
