//! What comes before what across processes, and through the kernel: births, ends, streams, signals, file locks.
//!
//! Rules, each of which may order more than the program did and never less:
//! * A process begins after the `Fork` that made it; where that was not seen, after all that its parent had
//!   done by then. A later image comes after all that the earlier one did.
//! * Who has waited for a child comes after all that the child did.
//! * A read from a stream comes after the writes whose bytes it may have got. Where all bytes that were put
//!   into a pipe or a pair of sockets were taken out, positions tell which those are: a write begins no
//!   earlier than what was written by then, and a read ends no later than what was read by then or was
//!   being read. Else every earlier write counts. So it is for sockets whose other end is not known, which
//!   are one.
//! * Who finds the end of a stream comes after all that anybody did before: who held it open is not known.
//! * A process that was sent a signal comes after that from its next event on.
//! * `Give` before `Learn` on the same object; without an object, before everything of the kernel. Who locks a
//!   file comes after the ends of processes that had locked it.

use std::collections::{BTreeMap, HashMap, HashSet};

use snag_trace::{Kind, ObjectKind};

use crate::model::execution::{Event, Execution, ObjectId, ThreadId};

/// A write into a stream.
struct Put {
    event: u32,
    thread: ThreadId,
    /// Bytes that were certainly put in before it.
    from: u64,
}

#[derive(Default)]
struct Stream {
    /// Whether positions tell which write a read has got.
    is_exact: bool,
    puts: Vec<Put>,
    /// Bytes of writes that are over.
    written: u64,
    /// Bytes of the reads so far.
    read: u64,
    /// Of each thread, its reads' events and bytes, the next one to come first.
    to_come: HashMap<ThreadId, Vec<u64>>,
    /// The last write of each thread before the first of `puts`.
    older: BTreeMap<ThreadId, u32>,
}

/// The pass that finds these sources.
#[derive(Default)]
pub(super) struct Crossing {
    /// Whether there is anything to find.
    used: bool,
    born: Vec<bool>,
    streams: HashMap<ObjectId, Stream>,
    /// The socket at the other end.
    peers: HashMap<ObjectId, ObjectId>,
    /// Per object, the last event of each thread that gave something to it.
    given: HashMap<ObjectId, BTreeMap<ThreadId, u32>>,
    /// Processes that locked a file.
    lockers: HashMap<ObjectId, HashSet<u32>>,
    /// Signals on their way, by the process and the thread that has not noticed yet.
    signals: HashMap<ThreadId, Vec<u32>>,
}

impl Crossing {
    pub(super) fn new(execution: &Execution) -> Crossing {
        let used = execution.processes.len() > 1
            || execution.events.iter().any(|event| (Kind::Fork..Kind::SharedAccess).contains(&event.kind));
        let mut crossing =
            Crossing { used, born: vec![false; execution.processes.len()], ..Crossing::default() };
        if used {
            crossing.measure(execution);
        }
        crossing
    }

    /// Learns who belongs together and whether streams were drained.
    fn measure(&mut self, execution: &Execution) {
        for event in execution.events.iter().filter(|event| event.kind == Kind::StreamPeer) {
            let other = ObjectId(u32::try_from(event.arg).unwrap_or(0));
            self.peers.insert(event.object, other);
            self.peers.insert(other, event.object);
        }
        let mut sums: HashMap<ObjectId, [u64; 2]> = HashMap::new();
        for event in &execution.events {
            match event.kind {
                Kind::StreamWritten => {
                    let into = self.filled_through(execution, event.object);
                    sums.entry(into).or_default()[0] += event.arg;
                }
                Kind::StreamRead => {
                    let from = self.drained_through(execution, event.object);
                    sums.entry(from).or_default()[1] += event.arg;
                    let stream = self.streams.entry(from).or_default();
                    stream.to_come.entry(event.thread).or_default().push(event.arg);
                }
                _ => {}
            }
        }
        for stream in self.streams.values_mut() {
            stream.to_come.values_mut().for_each(|reads| reads.reverse());
        }
        for (object, [written, read]) in sums {
            let is_told_apart = match execution.kind(object) {
                Some(ObjectKind::Pipe) => true,
                Some(ObjectKind::Socket) => self.peers.contains_key(&object),
                _ => false,
            };
            self.streams.entry(object).or_default().is_exact = is_told_apart && written == read;
        }
    }

    /// The stream that a write to `object` goes into: what can be read at the other end of a socket.
    fn filled_through(&self, execution: &Execution, object: ObjectId) -> ObjectId {
        match execution.kind(object) {
            Some(ObjectKind::Socket) => self.peers.get(&object).copied().unwrap_or_default(),
            Some(ObjectKind::Pipe) => object,
            _ => ObjectId::default(),
        }
    }

    /// The stream that a read from `object` takes from.
    fn drained_through(&self, execution: &Execution, object: ObjectId) -> ObjectId {
        match execution.kind(object) {
            Some(ObjectKind::Socket) if self.peers.contains_key(&object) => object,
            Some(ObjectKind::Pipe) => object,
            _ => ObjectId::default(),
        }
    }

    /// Events that come before this one; `last` are the last ones of all threads.
    pub(super) fn sources(
        &mut self,
        execution: &Execution,
        index: u32,
        event: &Event,
        last: &[Option<u32>],
    ) -> Vec<u32> {
        if !self.used {
            return Vec::new();
        }
        let mut sources = self.signals.remove(&event.thread).unwrap_or_default();
        self.birth(execution, event, last, &mut sources);
        match event.kind {
            Kind::Reaped => {
                let pid = u32::try_from(event.arg).unwrap_or(0);
                let is_it = |thread: &ThreadId| {
                    let process = &execution.processes[execution.thread(*thread).process as usize];
                    process.definitions.pid == pid
                };
                sources.extend(execution.thread_ids().filter(is_it).filter_map(|thread| last[thread.at()]));
            }
            Kind::StreamWrite => {
                let into = self.filled_through(execution, event.object);
                let stream = self.streams.entry(into).or_default();
                stream.puts.push(Put { event: index, thread: event.thread, from: stream.written });
                stream.tidy();
                self.give(ObjectId::default(), event.thread, index);
            }
            Kind::StreamWritten => {
                let into = self.filled_through(execution, event.object);
                self.streams.entry(into).or_default().written += event.arg;
            }
            Kind::StreamRead if event.arg == 0 => sources.extend(last.iter().flatten()),
            Kind::StreamRead => {
                let from = self.drained_through(execution, event.object);
                self.streams.entry(from).or_default().take(event, &mut sources);
            }
            Kind::StreamClose | Kind::Give => {
                self.give(event.object, event.thread, index);
                self.give(ObjectId::default(), event.thread, index);
            }
            Kind::Learn => self.learn(execution, event, last, &mut sources),
            Kind::Signal => self.signal(execution, index, event),
            _ => {}
        }
        sources
    }

    /// What came before the first event of a process.
    fn birth(&mut self, execution: &Execution, event: &Event, last: &[Option<u32>], sources: &mut Vec<u32>) {
        let number = execution.thread(event.thread).process;
        if std::mem::replace(&mut self.born[number as usize], true) {
            return;
        }
        let process = &execution.processes[number as usize];
        let is_image =
            |parent: u32| execution.processes[parent as usize].definitions.pid == process.definitions.pid;
        let of = |parent: u32| {
            let own = move |thread: &ThreadId| execution.thread(*thread).process == parent;
            execution.thread_ids().filter(own).filter_map(|thread| last[thread.at()])
        };
        match (process.made_by, process.parent) {
            (_, Some(parent)) if is_image(parent) => sources.extend(of(parent)),
            (Some(fork), _) => sources.push(fork),
            (None, Some(parent)) => sources.extend(of(parent)),
            (None, None) if number > 0 => sources.extend(last.iter().flatten()),
            (None, None) => {}
        }
    }

    fn give(&mut self, object: ObjectId, thread: ThreadId, index: u32) {
        self.given.entry(object).or_default().insert(thread, index);
    }

    fn learn(&mut self, execution: &Execution, event: &Event, last: &[Option<u32>], sources: &mut Vec<u32>) {
        let given = |object: ObjectId| self.given.get(&object).into_iter().flat_map(BTreeMap::values);
        sources.extend(given(event.object));
        let kind = execution.kind(event.object);
        match kind {
            Some(ObjectKind::Pipe | ObjectKind::Socket | ObjectKind::EventDescriptor) => {
                let from = self.drained_through(execution, event.object);
                if let Some(stream) = self.streams.get(&from) {
                    sources.extend(
                        stream.puts.iter().map(|put| put.event).chain(stream.older.values().copied()),
                    );
                }
            }
            Some(ObjectKind::FileLock | ObjectKind::RecordLock) => {
                let process = execution.thread(event.thread).process;
                let lockers = self.lockers.entry(event.object).or_default();
                let others = |thread: &ThreadId| lockers.contains(&execution.thread(*thread).process);
                sources.extend(execution.thread_ids().filter(others).filter_map(|thread| {
                    let event = last[thread.at()]?;
                    let own = &execution.thread(thread).events;
                    (own.last() == Some(&event)).then_some(event)
                }));
                lockers.insert(process);
            }
            _ => {}
        }
    }

    fn signal(&mut self, execution: &Execution, index: u32, event: &Event) {
        let pid = event.arg as u32;
        for thread in execution.thread_ids() {
            let process = &execution.processes[execution.thread(thread).process as usize];
            if pid == 0 || process.definitions.pid == pid {
                self.signals.entry(thread).or_default().push(index);
            }
        }
    }
}

impl Stream {
    /// Forgets writes that later ones of their threads stand for.
    fn tidy(&mut self) {
        const KEPT: usize = 256;
        if self.puts.len() >= 2 * KEPT {
            for put in self.puts.drain(..KEPT) {
                self.older.insert(put.thread, put.event);
            }
        }
    }

    /// The writes whose bytes a read may have got.
    fn take(&mut self, event: &Event, sources: &mut Vec<u32>) {
        if let Some(own) = self.to_come.get_mut(&event.thread) {
            own.pop();
        }
        self.read += event.arg;
        let others = self.to_come.iter().filter(|(thread, _)| **thread != event.thread);
        let to_come: u64 = others.filter_map(|(_, reads)| reads.last()).sum();
        let until = if self.is_exact { self.read + to_come } else { u64::MAX };
        // Of each thread the last one stands for those before.
        let mut of_thread = self.older.clone();
        of_thread.extend(self.puts.iter().filter(|put| put.from < until).map(|put| (put.thread, put.event)));
        sources.extend(of_thread.into_values());
    }
}
