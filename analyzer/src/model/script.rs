//! Executions for tests, written down one event per line.
//!
//! A line is `<thread> <operation> [<object>] [<argument>]`; its number is the place's line in file
//! `t.rs`. An object's kind follows from the letters of its name: `m` mutex, `rw` rwlock, `cv`
//! condvar, `ch` channel, `bar` barrier, `once` once, `sem` semaphore, `re` reentrant lock. The line
//! `stuck` says that snag ended the process there.
//!
//! Threads from 101 on are those of a forked child: `1 fork` on line 3 makes it, `101 begins 3` is its first
//! event, and `1 forked 101` says that it was made. Objects that the parent names first are inherited.
//!
//! What the memory layer says is written as in
//!
//! ```text
//! 3 race write8@12,20 2 read4@9>70 heap+16/64:1@5
//! 3 race read8@12 2 write8@9 static weak store-relaxed1@10 load-relaxed1@11
//! 3 conflict …
//! 3 update load-relaxed8@4=1 store-relaxed8@5=2 between 2 store-relaxed8@9=7 unread same static
//! 3 update load-relaxed8@4=1 store-relaxed8@5=2 before 2 rmw-relaxed8@9=7 static
//! ```
//!
//! An access is its kind, ordering and size, then `@` its stack, innermost first, in which the
//! address `n` of code stands for line `n` (from 1000 on in std, from 2000 on in a dependency); then `>` the number of the last event of its thread before
//! it, and `=` its value. A block of memory is its region, then `+` the offset of the access in it `/` its
//! size, `:` its thread, `@` the stack that made it.

use std::collections::BTreeMap;

use snag_trace::decode::MemoryRecord;
use snag_trace::memory::{AccessKind, Ordering, Region};
use snag_trace::process::{Birth, How};
use snag_trace::{Act, Event, Flags, Kind, Mode, ObjectInfo, ObjectKind, ProcessTrace, Site, ThreadInfo};

use crate::finding::{Frame, ObjectRef, Place, ThreadRef};
use crate::model::execution::{Execution, ObjectId};
use crate::model::flow::Flow;
use crate::model::memory::{Access, Block, Conflict, Update, WeakRead};
use crate::model::names::{Names, PlainNames};
use crate::run::meta::{RunMeta, StuckProcess};

/// A trace under construction.
#[derive(Default)]
struct Script {
    trace: ProcessTrace,
    child: ProcessTrace,
    names: BTreeMap<String, u32>,
    /// The mode in which each thread last acquired each object.
    modes: BTreeMap<(u32, u32), Vec<Mode>>,
    stuck: bool,
}

const PID: u32 = 100;
const CHILD: u32 = 101;

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
    fn object(&mut self, name: &str, seq: u64, in_child: bool) -> u32 {
        if let Some(&number) = self.names.get(name) {
            return number;
        }
        let number = u32::try_from(self.names.len() + 1).expect("few objects");
        self.names.insert(name.to_owned(), number);
        let info = ObjectInfo { kind: kind_of(name), birth: number, address: 0, seq, site: 0 };
        self.process(in_child).objects.insert(number, info);
        number
    }

    fn process(&mut self, is_child: bool) -> &mut ProcessTrace {
        if is_child { &mut self.child } else { &mut self.trace }
    }

    fn line(&mut self, number: u32, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words == ["stuck"] {
            self.stuck = true;
            return;
        }
        let [thread, operation, rest @ ..] = &words[..] else { panic!("not an event: {line}") };
        let thread: u32 = thread.parse().expect("a thread's number");
        let in_child = thread > PID && !self.trace.births.is_empty();
        let thread = if in_child { thread - PID } else { thread };
        self.thread(thread, in_child);
        let site = Site { file: "t.rs".to_owned(), line: number, column: 1 };
        self.process(in_child).sites.insert(number, site);
        let seq = u64::from(number) * 10;
        if let "race" | "conflict" | "update" = *operation {
            self.remark(thread, seq, operation, rest);
            return;
        }
        let (operation, flags) = flags_of(operation);
        let (kind, mut mode) = kind_and_mode(operation);
        let of_threads = matches!(kind, Kind::Spawn | Kind::Join | Kind::Unpark) || mode == Mode::Join;
        let named = |word: &&str| word.starts_with(|letter: char| letter.is_ascii_alphabetic());
        let object = if of_threads { None } else { rest.first().filter(|word| named(word)) };
        let numbers = if object.is_some() { &rest[1..] } else { rest };
        let object = object.map_or(0, |name| self.object(name, seq, in_child));
        let arg = match numbers.first() {
            Some(word) if named(word) => u64::from(self.object(word, seq, in_child)),
            Some(word) => word.parse().expect("a number"),
            None => act_of(operation),
        };
        let arg = if kind == Kind::ProcessStart { arg * 10 } else { arg };
        if kind == Kind::Fork {
            self.trace.births.insert(seq, Birth { how: How::Fork, stack: Vec::new() });
        }
        let held = self.modes.entry((u32::from(in_child) * PID + thread, object)).or_default();
        match kind {
            Kind::Acquire => held.push(mode),
            Kind::Release if mode == Mode::None => mode = held.pop().unwrap_or(Mode::Exclusive),
            _ => {}
        }
        let event = Event { seq, thread, kind, mode, flags, object, site: number, arg };
        self.process(in_child).events.push(event);
    }
}

/// What the memory layer says.
impl Script {
    fn thread(&mut self, thread: u32, in_child: bool) {
        self.process(in_child).threads.entry(thread).or_insert_with(|| ThreadInfo {
            name: if thread == 1 { String::new() } else { format!("t{thread}") },
            ..ThreadInfo::default()
        });
    }

    fn remark(&mut self, thread: u32, seq: u64, operation: &str, words: &[&str]) {
        let (kind, record) = if operation == "update" {
            let update = update(thread, words);
            for other in [&update.between, &update.before].into_iter().flatten() {
                self.thread(other.thread, false);
            }
            (Kind::AtomicUpdate, MemoryRecord::Update(Box::new(update)))
        } else {
            let kind = if operation == "race" { Kind::DataRace } else { Kind::Conflict };
            let conflict = conflict(thread, words);
            self.thread(conflict.previous.thread, false);
            (kind, MemoryRecord::Conflict(Box::new(conflict)))
        };
        self.trace.memory.insert(seq, record);
        let (mode, flags) = (Mode::None, Flags::NONE);
        self.trace.events.push(Event { seq, thread, kind, mode, flags, object: 0, site: 0, arg: 0 });
    }
}

fn conflict(thread: u32, words: &[&str]) -> Conflict {
    let [current, other, previous, block, rest @ ..] = words else { panic!("not a conflict: {words:?}") };
    let other = other.parse().expect("a thread's number");
    let weak = match rest {
        [] => None,
        ["weak", store, load] => Some(WeakRead { store: access(other, store), load: access(thread, load) }),
        _ => panic!("what is {rest:?}?"),
    };
    Conflict {
        current: access(thread, current),
        previous: access(other, previous),
        block: block_of(block),
        weak,
    }
}

fn update(thread: u32, words: &[&str]) -> Update {
    let [load, store, rest @ ..] = words else { panic!("not an update: {words:?}") };
    let other = |role| {
        let at = rest.iter().position(|word| *word == role)?;
        Some(access(rest[at + 1].parse().expect("a thread's number"), rest[at + 2]))
    };
    Update {
        load: access(thread, load),
        store: access(thread, store),
        between: other("between"),
        before: other("before"),
        unread: rest.contains(&"unread"),
        same_activation: rest.contains(&"same"),
        block: block_of(rest.last().expect("a block")),
    }
}

/// Where accesses are, unless their block says otherwise.
const ADDRESS: u64 = 0x10_0000;

/// `text` up to the first of these marks, and what follows each mark.
fn parts<'a, const N: usize>(text: &'a str, marks: [char; N]) -> (&'a str, [Option<&'a str>; N]) {
    let until = |text: &'a str| text.split(&marks[..]).next().unwrap_or("");
    (until(text), marks.map(|mark| text.split_once(mark).map(|(_, rest)| until(rest))))
}

fn number(text: Option<&str>) -> u64 {
    text.map_or(0, |text| text.parse().expect("a number"))
}

fn stack(text: Option<&str>) -> Vec<u64> {
    text.map_or(Vec::new(), |text| text.split(',').map(|line| number(Some(line))).collect())
}

fn access(thread: u32, word: &str) -> Access {
    let (what, [at, after, value]) = parts(word, ['@', '>', '=']);
    let digits = what.find(|letter: char| letter.is_ascii_digit()).expect("a size");
    let (name, size) = what.split_at(digits);
    let (name, ordering) = name.split_once('-').unwrap_or((name, ""));
    let kind = match name {
        "read" => AccessKind::Read,
        "write" => AccessKind::Write,
        "volatile" => AccessKind::VolatileRead,
        "load" => AccessKind::AtomicLoad,
        "store" => AccessKind::AtomicStore,
        "rmw" => AccessKind::AtomicUpdate,
        "free" => AccessKind::Free,
        other => panic!("no access is called {other}"),
    };
    let ordering = match ordering {
        "" => Ordering::NotAtomic,
        "relaxed" => Ordering::Relaxed,
        "acquire" => Ordering::Acquire,
        "release" => Ordering::Release,
        "acqrel" => Ordering::AcqRel,
        "seqcst" => Ordering::SeqCst,
        other => panic!("no ordering is called {other}"),
    };
    let size = size.parse().expect("a size");
    let (after, value) = (number(after), number(value));
    Access { thread, kind, ordering, size, address: ADDRESS, after, value, stack: stack(at) }
}

fn block_of(word: &str) -> Block {
    let (region, [offset, size, thread, at]) = parts(word, ['+', '/', ':', '@']);
    let region = match region {
        "unknown" => Region::Unknown,
        "static" => Region::Static,
        "heap" => Region::Heap,
        "freed" => Region::Freed,
        "stack" => Region::Stack,
        "thread-local" => Region::ThreadLocal,
        other => panic!("no region is called {other}"),
    };
    let thread = number(thread) as u32;
    Block { region, thread, base: ADDRESS - number(offset), size: number(size), stack: stack(at) }
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
        "synchronizes" => (Kind::SynchronizesWith, Mode::None),
        "sees" => (Kind::ReadsFrom, Mode::None),
        "fork" => (Kind::Fork, Mode::None),
        "forked" => (Kind::Forked, Mode::None),
        "begins" => (Kind::ProcessStart, Mode::None),
        "exec" => (Kind::Exec, Mode::None),
        "reaped" => (Kind::Reaped, Mode::None),
        "want-process" => (Kind::Request, Mode::Process),
        "allocates" | "prints" | "getenv" => (Kind::ForkedAct, Mode::None),
        other => panic!("no operation is called {other}"),
    }
}

/// The argument of an operation that has none written behind it.
fn act_of(operation: &str) -> u64 {
    match operation {
        "allocates" => Act::Allocates as u64,
        "prints" => Act::Prints as u64,
        "getenv" => Act::UsesEnvironment as u64,
        _ => 0,
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
    let stuck = if played.stuck {
        vec![StuckProcess { pid: PID, seq, ..StuckProcess::default() }]
    } else {
        Vec::new()
    };
    (played, RunMeta { stuck, ..RunMeta::default() })
}

/// The execution that `script` writes down; the notify on line 5 has number 50.
pub fn execution(script: &str) -> Execution {
    let (played, meta) = played(script);
    let Script { trace, child, .. } = played;
    if child.events.is_empty() {
        return Execution::load(vec![trace], &meta);
    }
    let first_seq = child.events[0].seq - 1;
    let child = ProcessTrace { pid: CHILD, parent_pid: PID, forked: true, first_seq, ..child };
    Execution::load(vec![trace, child], &meta)
}

/// Names as [`PlainNames`], with places for the code of stacks.
pub struct ScriptNames<'a>(pub &'a Execution);

impl Names for ScriptNames<'_> {
    fn object(&self, process: u32, object: u32) -> ObjectRef {
        PlainNames(self.0).object(process, object)
    }

    fn place(&self, process: u32, site: u32) -> Option<Place> {
        PlainNames(self.0).place(process, site)
    }

    fn thread(&self, process: u32, thread: u32) -> ThreadRef {
        PlainNames(self.0).thread(process, thread)
    }

    fn frames(&self, _: u32, stack: &[u64]) -> Vec<Frame> {
        let frame = |&address: &u64| {
            let folder = ["", "~rust/", "~registry/dep-1.0.0/"][(address / 1000) as usize];
            let place = Place { file: format!("{folder}t.rs"), line: (address % 1000) as u32, column: 1 };
            Frame { function: format!("f{address}"), place: Some(place), inlined: false }
        };
        stack.iter().map(frame).collect()
    }
}

/// Names as [`ScriptNames`], of one function whose source says how looks bear on writes: by their lines.
pub struct SourcedNames<'a> {
    /// What the rest is named by.
    pub names: ScriptNames<'a>,
    /// From the look at a line to the write at another.
    pub flows: &'a [(u32, u32, Flow)],
}

impl Names for SourcedNames<'_> {
    fn object(&self, process: u32, object: u32) -> ObjectRef {
        self.names.object(process, object)
    }

    fn place(&self, process: u32, site: u32) -> Option<Place> {
        self.names.place(process, site)
    }

    fn thread(&self, process: u32, thread: u32) -> ThreadRef {
        self.names.thread(process, thread)
    }

    fn frames(&self, process: u32, stack: &[u64]) -> Vec<Frame> {
        let frames = self.names.frames(process, stack).into_iter();
        frames.map(|frame| Frame { function: "f".to_owned(), ..frame }).collect()
    }

    fn flow(&self, from: &[Place], to: &[Place]) -> Flow {
        let lines = |calls: &[Place]| calls.iter().map(|call| call.line).collect::<Vec<_>>();
        let (from, to) = (lines(from), lines(to));
        let found = self.flows.iter().find(|(look, write, _)| from == [*look] && to == [*write]);
        found.map_or(Flow::Unknown, |(_, _, flow)| *flow)
    }
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
