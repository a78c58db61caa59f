//! Executions for tests, written down one event per line.
//!
//! A line is `<thread> <operation> [<object>] [<argument>]`; its number is the place's line in file
//! `t.rs`. An object's kind follows from the letters of its name: `m` mutex, `rw` rwlock, `cv`
//! condvar, `ch` channel, `bar` barrier, `once` once, `sem` semaphore, `re` reentrant lock. The line
//! `stuck` says that snag ended the process there.

use std::collections::BTreeMap;

use snag_trace::{Event, Flags, Kind, Mode, ObjectInfo, ObjectKind, ProcessTrace, Site, ThreadInfo};

use crate::model::execution::{Execution, ObjectId};
use crate::run::meta::{RunMeta, StuckProcess};

/// A trace under construction.
#[derive(Default)]
struct Script {
    trace: ProcessTrace,
    names: BTreeMap<String, u32>,
    /// The mode in which each thread last acquired each object.
    modes: BTreeMap<(u32, u32), Vec<Mode>>,
    stuck: bool,
}

const PID: u32 = 100;

fn kind_of(name: &str) -> ObjectKind {
    match name.trim_end_matches(|letter: char| letter.is_ascii_digit()) {
        "m" => ObjectKind::Mutex,
        "rw" => ObjectKind::RwLock,
        "cv" => ObjectKind::Condvar,
        "ch" => ObjectKind::Channel,
        "bar" => ObjectKind::Barrier,
        "once" => ObjectKind::Once,
        "sem" => ObjectKind::Semaphore,
        "re" => ObjectKind::ReentrantLock,
        "pl" => ObjectKind::LockApiMutex,
        other => panic!("no kind of object is called {other}"),
    }
}

impl Script {
    fn object(&mut self, name: &str, seq: u64) -> u32 {
        if let Some(&number) = self.names.get(name) {
            return number;
        }
        let number = u32::try_from(self.names.len() + 1).expect("few objects");
        self.names.insert(name.to_owned(), number);
        let info = ObjectInfo { kind: kind_of(name), birth: number, address: 0, seq, site: 0 };
        self.trace.objects.insert(number, info);
        number
    }

    fn line(&mut self, number: u32, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words == ["stuck"] {
            self.stuck = true;
            return;
        }
        let [thread, operation, rest @ ..] = &words[..] else { panic!("not an event: {line}") };
        let thread: u32 = thread.parse().expect("a thread's number");
        self.trace.threads.entry(thread).or_insert_with(|| ThreadInfo {
            name: if thread == 1 { String::new() } else { format!("t{thread}") },
            ..ThreadInfo::default()
        });
        self.trace.sites.insert(number, Site { file: "t.rs".to_owned(), line: number, column: 1 });
        let seq = u64::from(number) * 10;
        let (operation, flags) = flags_of(operation);
        let (kind, mut mode) = kind_and_mode(operation);
        let of_threads = matches!(kind, Kind::Spawn | Kind::Join | Kind::Unpark) || mode == Mode::Join;
        let named = |word: &&str| word.starts_with(|letter: char| letter.is_ascii_alphabetic());
        let object = if of_threads { None } else { rest.first().filter(|word| named(word)) };
        let numbers = if object.is_some() { &rest[1..] } else { rest };
        let object = object.map_or(0, |name| self.object(name, seq));
        let arg = match numbers.first() {
            Some(word) if named(word) => u64::from(self.object(word, seq)),
            Some(word) => word.parse().expect("a number"),
            None => 0,
        };
        let held = self.modes.entry((thread, object)).or_default();
        match kind {
            Kind::Acquire => held.push(mode),
            Kind::Release if mode == Mode::None => mode = held.pop().unwrap_or(Mode::Exclusive),
            _ => {}
        }
        let event = Event { seq, thread, kind, mode, flags, object, site: number, arg };
        self.trace.events.push(event);
    }
}

/// `try-`, `timed-`, `late-` (timed out) and `panicking-` before an operation.
fn flags_of(operation: &str) -> (&str, Flags) {
    for (prefix, flag) in [
        ("try-", Flags::TRY),
        ("timed-", Flags::TIMED),
        ("late-", Flags::TIMED_OUT),
        ("panicking-", Flags::PANICKING),
    ] {
        if let Some(rest) = operation.strip_prefix(prefix) {
            return (rest, flag);
        }
    }
    (operation, Flags::NONE)
}

fn kind_and_mode(operation: &str) -> (Kind, Mode) {
    match operation {
        "start" => (Kind::ThreadStart, Mode::None),
        "end" => (Kind::ThreadEnd, Mode::None),
        "spawn" => (Kind::Spawn, Mode::None),
        "join" => (Kind::Join, Mode::None),
        "exit" => (Kind::Exit, Mode::None),
        "gone" => (Kind::ObjectEnd, Mode::None),
        "lock" | "write" => (Kind::Acquire, Mode::Exclusive),
        "read" => (Kind::Acquire, Mode::Shared),
        "upgradable" => (Kind::Acquire, Mode::Upgradable),
        "permit" => (Kind::Acquire, Mode::Permit),
        "unlock" => (Kind::Release, Mode::None),
        "give" => (Kind::Release, Mode::Permit),
        "upgrade" => (Kind::Convert, Mode::Exclusive),
        "downgrade" => (Kind::Convert, Mode::Shared),
        "want" => (Kind::Request, Mode::Exclusive),
        "want-read" => (Kind::Request, Mode::Shared),
        "want-permit" => (Kind::Request, Mode::Permit),
        "want-message" => (Kind::Request, Mode::Receive),
        "want-room" => (Kind::Request, Mode::Send),
        "want-join" => (Kind::Request, Mode::Join),
        "want-once" => (Kind::Request, Mode::Once),
        "want-barrier" => (Kind::Request, Mode::Barrier),
        "park" => (Kind::Request, Mode::Park),
        "sleep" => (Kind::Request, Mode::Sleep),
        "gave-up" => (Kind::GiveUp, Mode::Exclusive),
        "wait" => (Kind::WaitBegin, Mode::Wait),
        "woken" => (Kind::WaitEnd, Mode::Wait),
        "notify" => (Kind::NotifyOne, Mode::None),
        "notify-all" => (Kind::NotifyAll, Mode::None),
        "send" => (Kind::Send, Mode::None),
        "receive" => (Kind::Receive, Mode::None),
        "sender-new" => (Kind::SenderNew, Mode::None),
        "sender-end" => (Kind::SenderEnd, Mode::None),
        "receiver-end" => (Kind::ReceiverEnd, Mode::None),
        "closed" => (Kind::Disconnected, Mode::Receive),
        "empty" => (Kind::ChannelGiveUp, Mode::Receive),
        "begin" => (Kind::OnceBegin, Mode::None),
        "done" => (Kind::OnceEnd, Mode::None),
        "pass" => (Kind::OncePass, Mode::None),
        "arrive" => (Kind::BarrierArrive, Mode::None),
        "leave" => (Kind::BarrierLeave, Mode::None),
        "unparked" => (Kind::ParkEnd, Mode::None),
        "unpark" => (Kind::Unpark, Mode::None),
        "get" => (Kind::Read, Mode::None),
        "set" => (Kind::Write, Mode::None),
        other => panic!("no operation is called {other}"),
    }
}

fn played(script: &str) -> (Script, RunMeta) {
    let mut played = Script::default();
    played.trace.pid = PID;
    for (index, line) in script.lines().enumerate() {
        let line = line.split("//").next().unwrap_or("").trim();
        if !line.is_empty() {
            played.line(u32::try_from(index + 1).expect("few lines"), line);
        }
    }
    let seq = played.trace.events.last().map_or(0, |event| event.seq);
    let stuck = if played.stuck { vec![StuckProcess { pid: PID, seq }] } else { Vec::new() };
    (played, RunMeta { stuck, ..RunMeta::default() })
}

/// The execution that `script` writes down; the notify on line 5 has number 50.
pub fn execution(script: &str) -> Execution {
    let (played, meta) = played(script);
    Execution::load(vec![played.trace], &meta)
}

/// The index of the event on this line.
pub fn at(execution: &Execution, line: u32) -> u32 {
    let found = execution.events.iter().position(|event| event.seq == u64::from(line) * 10);
    u32::try_from(found.expect("an event on this line")).expect("few events")
}

/// The `index`th object, in the order in which the script names them, from 1.
pub fn object(index: u32) -> ObjectId {
    ObjectId(index)
}
