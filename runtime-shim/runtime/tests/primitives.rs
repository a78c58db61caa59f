//! What the traced primitives record, held against the contract of `snag_trace::event`.
//!
//! Each scenario runs in a child process of its own, which is recorded; the test reads its trace.

use std::path::PathBuf;
use std::pin::pin;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use snag_runtime::recorder::Place;
use snag_runtime::sync::channel::{Nothing, Patience};
use snag_runtime::sync::once::{Entry, Intent};
use snag_runtime::sync::{Barrier, Channel, Condvar, Mutex, RwLock, once};
use snag_trace::layout::{CLOCK_FILE, CLOCK_MAGIC, CLOCK_SIZE, RUN_ENV, VERSION, clock};
use snag_trace::{Event, Flags, Kind, Mode, ProcessTrace};

fn run_folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("snag-primitives-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a temporary folder can be made");
    let mut page = vec![0_u8; CLOCK_SIZE];
    page[..8].copy_from_slice(&CLOCK_MAGIC);
    page[clock::VERSION..clock::VERSION + 4].copy_from_slice(&VERSION.to_le_bytes());
    std::fs::write(folder.join(CLOCK_FILE), page).expect("the clock page can be written");
    folder
}

/// The events of primitives that a scenario records.
fn record(scenario: &str) -> Vec<Event> {
    record_for(scenario, Duration::from_secs(60))
}

/// The events of primitives that a scenario records, which is killed if it takes longer than `time`.
fn record_for(scenario: &str, time: Duration) -> Vec<Event> {
    let folder = run_folder(scenario);
    let mut child = Command::new(std::env::current_exe().expect("this binary has a path"))
        .args(["--ignored", "--exact", scenario, "--test-threads=1", "-q"])
        .env(RUN_ENV, &folder)
        .spawn()
        .expect("this binary can be started again");
    let start = Instant::now();
    while child.try_wait().expect("a child can be waited for").is_none() && start.elapsed() < time {
        thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    let _ = child.wait();
    let entries = std::fs::read_dir(&folder).expect("the run folder is readable");
    let paths = entries.map(|entry| entry.expect("a folder entry").path());
    let path = paths.filter(|path| path.extension().is_some_and(|extension| extension == "trace")).last();
    let bytes = std::fs::read(path.expect("there is a trace")).expect("the trace is readable");
    let _ = std::fs::remove_dir_all(&folder);
    let events = ProcessTrace::decode(&bytes).expect("the trace decodes").events;
    let others = [Kind::ThreadStart, Kind::ThreadName, Kind::ThreadEnd, Kind::Exit, Kind::Spawn, Kind::Join];
    let primitives = |event: &Event| !others.contains(&event.kind) && event.mode != Mode::Join;
    events.into_iter().filter(primitives).collect()
}

/// Kinds, modes and flags of the events of each thread, in order of the threads' first events.
fn by_thread(events: &[Event]) -> Vec<Vec<(Kind, Mode, Flags)>> {
    let mut threads: Vec<u32> = Vec::new();
    for event in events {
        if !threads.contains(&event.thread) {
            threads.push(event.thread);
        }
    }
    let of = |thread: &u32| {
        let own = events.iter().filter(|event| event.thread == *thread);
        own.map(|event| (event.kind, event.mode, event.flags)).collect()
    };
    threads.iter().map(of).collect()
}

#[track_caller]
fn here() -> Option<Place> {
    Some(core::panic::Location::caller())
}

fn pause() {
    thread::sleep(Duration::from_millis(20));
}

/// Time enough for a scenario to come to where it hangs.
const HANGS: Duration = Duration::from_secs(3);
const PLAIN: Flags = Flags::NONE;

#[test]
#[ignore = "runs in a recorded child"]
fn scenario_free_locks() {
    let (mutex, rwlock) = (Mutex::new(), RwLock::new());
    mutex.lock(here());
    for _ in 0..100 {
        assert!(!mutex.try_lock(here()));
    }
    // SAFETY: locked above, and so on below.
    unsafe { mutex.unlock(None) };
    rwlock.read(here());
    assert!(rwlock.try_read(here()) && !rwlock.try_write(here()));
    // SAFETY: as above.
    unsafe {
        rwlock.read_unlock(None);
        rwlock.read_unlock(None);
        rwlock.write(here());
        rwlock.downgrade(here());
        rwlock.read_unlock(None);
    }
}

#[test]
fn an_operation_that_need_not_wait_is_one_event() {
    let events = record("scenario_free_locks");
    let (exclusive, shared) = (Mode::Exclusive, Mode::Shared);
    let expected = vec![
        (Kind::Acquire, exclusive, PLAIN),
        (Kind::GiveUp, exclusive, Flags::TRY),
        (Kind::Release, exclusive, PLAIN),
        (Kind::Acquire, shared, PLAIN),
        (Kind::Acquire, shared, Flags::TRY),
        (Kind::GiveUp, exclusive, Flags::TRY),
        (Kind::Release, shared, PLAIN),
        (Kind::Release, shared, PLAIN),
        (Kind::Acquire, exclusive, PLAIN),
        (Kind::Convert, shared, PLAIN),
        (Kind::Release, shared, PLAIN),
    ];
    assert_eq!(by_thread(&events), [expected]);
    assert_ne!(events[0].object, events[3].object);
    assert!(events.iter().all(|event| (event.site == 0) == (event.kind == Kind::Release)));
}

#[test]
#[ignore = "runs in a recorded child"]
fn scenario_locked_twice() {
    let mutex = Mutex::new();
    mutex.lock(here());
    mutex.lock(here());
}

#[test]
fn a_wait_that_never_ends_was_announced() {
    let events = record_for("scenario_locked_twice", HANGS);
    let wait = (Kind::Request, Mode::Exclusive, PLAIN);
    assert_eq!(by_thread(&events), [[(Kind::Acquire, Mode::Exclusive, PLAIN), wait]]);
}

#[test]
#[ignore = "runs in a recorded child"]
fn scenario_condvar() {
    let (mutex, condvar) = (Mutex::new(), Condvar::new());
    condvar.notify_one(here());
    thread::scope(|scope| {
        scope.spawn(|| {
            mutex.lock(here());
            // SAFETY: locked.
            assert!(unsafe { condvar.wait(&mutex, None, here()) });
            // SAFETY: locked, and locked again.
            assert!(!unsafe { condvar.wait(&mutex, Some(Duration::from_millis(1)), here()) });
            // SAFETY: locked.
            unsafe { mutex.unlock(None) };
        });
        pause();
        condvar.notify_all(here());
    });
}

#[test]
fn a_wait_names_its_lock_and_the_notify_that_ended_it() {
    let events = record("scenario_condvar");
    let of = |kind| events.iter().filter(move |event| event.kind == kind).collect::<Vec<_>>();
    let (early, notify) = (of(Kind::NotifyOne)[0], of(Kind::NotifyAll)[0]);
    assert_eq!((early.arg, notify.arg), (0, 1));
    let lock = of(Kind::Acquire)[0].object;
    assert!(
        of(Kind::WaitBegin).iter().all(|wait| wait.arg == u64::from(lock) && wait.object == notify.object)
    );
    let timed = Flags::TIMED.and(Flags::TIMED_OUT);
    let ends: Vec<_> = of(Kind::WaitEnd).iter().map(|end| (end.arg, end.flags)).collect();
    assert_eq!(ends, [(notify.seq, PLAIN), (0, timed)]);
    let kinds: Vec<_> = by_thread(&events)[1].iter().map(|(kind, ..)| *kind).collect();
    let wait = [Kind::WaitBegin, Kind::Release, Kind::WaitEnd, Kind::Acquire];
    assert_eq!(kinds, [&[Kind::Acquire], &wait[..], &wait[..], &[Kind::Release]].concat());
}

#[test]
#[ignore = "runs in a recorded child"]
fn scenario_channel() {
    let channel = Channel::new(Some(1));
    for _ in 0..100 {
        assert_eq!(channel.receive(Patience::None, here()), Err(Nothing::Empty));
    }
    thread::scope(|scope| {
        scope.spawn(|| {
            assert!(channel.send(1, true, here()).is_ok() && channel.send(2, true, here()).is_ok());
            channel.remove_sender(None);
        });
        pause();
        assert_eq!(channel.receive(Patience::Endless, here()), Ok(1));
        assert_eq!(channel.receive(Patience::Endless, here()), Ok(2));
        assert_eq!(channel.receive(Patience::Endless, here()), Err(Nothing::Disconnected));
        channel.remove_receiver(None);
    });
}

#[test]
fn messages_are_numbered_and_polls_in_vain_noted_once() {
    let events = record("scenario_channel");
    let numbers = |kind| {
        let of = events.iter().filter(move |event| event.kind == kind);
        of.map(|event| event.arg).collect::<Vec<_>>()
    };
    assert_eq!(numbers(Kind::ChannelGiveUp).len(), 1);
    assert_eq!(numbers(Kind::Send), [1, 2]);
    assert_eq!(numbers(Kind::Receive), [1, 2]);
    let sender = &by_thread(&events)[1];
    let full = (Kind::Request, Mode::Send, PLAIN);
    let sent = (Kind::Send, Mode::None, PLAIN);
    assert_eq!(sender[..3], [sent, full, sent]);
    let position = |kind| events.iter().position(|event| event.kind == kind).expect("recorded");
    assert!(position(Kind::SenderEnd) < position(Kind::Disconnected));
    assert!(position(Kind::ReceiverEnd) < position(Kind::ObjectEnd));
    for message in 1..3 {
        let of =
            |kind| events.iter().find(|event| event.kind == kind && event.arg == message).expect("recorded");
        assert!(of(Kind::Send).seq < of(Kind::Receive).seq);
    }
}

#[test]
#[ignore = "runs in a recorded child"]
fn scenario_onces() {
    static DONE: AtomicBool = AtomicBool::new(false);
    let address = (&raw const DONE).addr();
    let complete = || DONE.load(Ordering::SeqCst);
    thread::scope(|scope| {
        scope.spawn(|| {
            let entry = pin!(Entry::new(address, here()));
            entry.as_ref().enter(Intent::Initialise, complete);
            entry.run(pause, |()| true);
            DONE.store(true, Ordering::SeqCst);
            entry.returned();
        });
        thread::sleep(Duration::from_millis(5));
        let entry = pin!(Entry::new(address, here()));
        entry.as_ref().enter(Intent::Initialise, complete);
        while !complete() {
            thread::yield_now();
        }
        entry.returned();
    });
    for _ in 0..100 {
        once::pass(address, here());
    }
}

#[test]
fn who_comes_to_a_running_initialiser_announces_a_wait() {
    let events = record("scenario_onces");
    let event = |kind| (kind, Mode::Once, PLAIN);
    let waits = vec![event(Kind::Request), event(Kind::OncePass), event(Kind::OncePass)];
    assert_eq!(by_thread(&events), [vec![event(Kind::OnceBegin), event(Kind::OnceEnd)], waits]);
    assert!(events.iter().all(|event| event.object == events[0].object));
}

#[test]
#[ignore = "runs in a recorded child"]
fn scenario_needs_itself() {
    static NEVER: AtomicBool = AtomicBool::new(false);
    let address = (&raw const NEVER).addr();
    let outer = pin!(Entry::new(address, here()));
    outer.as_ref().enter(Intent::Initialise, || false);
    outer.run(
        || {
            let inner = pin!(Entry::new(address, here()));
            inner.as_ref().enter(Intent::Initialise, || false);
            thread::park();
        },
        |()| true,
    );
}

#[test]
fn an_initialiser_that_needs_itself_announces_the_wait() {
    let events = record_for("scenario_needs_itself", HANGS);
    let event = |kind| (kind, Mode::Once, PLAIN);
    assert_eq!(by_thread(&events), [[event(Kind::OnceBegin), event(Kind::Request)]]);
    assert_eq!(events[0].object, events[1].object);
}

#[test]
#[ignore = "runs in a recorded child"]
fn scenario_barrier() {
    let barrier = Barrier::new(2);
    thread::scope(|scope| {
        for delay in [0, 20] {
            let barrier = &barrier;
            scope.spawn(move || {
                thread::sleep(Duration::from_millis(delay));
                for _ in 0..10 {
                    barrier.wait(here());
                }
            });
        }
    });
}

#[test]
fn all_arrive_at_a_barrier_before_any_leaves() {
    let events = record("scenario_barrier");
    for generation in 0..10 {
        let of = |kind| {
            let of = events.iter().filter(move |event| event.kind == kind && event.arg == generation);
            of.map(|event| event.seq).collect::<Vec<_>>()
        };
        let (arrivals, leaves) = (of(Kind::BarrierArrive), of(Kind::BarrierLeave));
        assert_eq!((arrivals.len(), leaves.len(), of(Kind::Request).len()), (2, 2, 1));
        assert!(arrivals.iter().max() < leaves.iter().min());
    }
}

#[test]
#[ignore = "runs in a recorded child"]
fn scenario_pauses() {
    let mutex = Mutex::new();
    let spin = || {
        for _ in 0..100 {
            snag_runtime::sync::thread::pausing(here());
        }
    };
    spin();
    mutex.lock(here());
    spin();
    // SAFETY: locked above.
    unsafe { mutex.unlock(None) };
}

#[test]
fn of_pauses_in_a_row_two_are_recorded() {
    let pause = (Kind::GiveUp, Mode::None, Flags::TRY);
    let acquire = (Kind::Acquire, Mode::Exclusive, PLAIN);
    let release = (Kind::Release, Mode::Exclusive, PLAIN);
    let events = record("scenario_pauses");
    assert_eq!(by_thread(&events), [[pause, pause, acquire, pause, pause, release]]);
}
