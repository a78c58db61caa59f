//! Reading a trace file back, from bytes that nobody vouches for.

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

use crate::event::{Event, Flags, Kind, Mode, ObjectKind};
use crate::layout::{CHUNK_SIZE, HEADER_SIZE, MAGIC, MAX_PAYLOAD, MAX_SEQ, RECORD_SIZE, VERSION, header};
use crate::memory::{Conflict, Counts, Reader, SharedAccess, Update};
use crate::process::{self, Birth, Shared};

/// Why bytes are not a trace at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TraceError {
    /// Shorter than a header.
    TooShort(usize),
    /// Does not begin with [`MAGIC`].
    NotATrace,
    /// Written by a snag with another format.
    Version(u32),
    /// The header contradicts the format.
    Header(&'static str),
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TraceError::TooShort(len) => {
                write!(f, "{len} bytes are too short for a trace's header of {HEADER_SIZE}")
            }
            TraceError::NotATrace => f.write_str("this is not a trace of snag"),
            TraceError::Version(found) => {
                write!(f, "the trace has format version {found}, this snag reads version {VERSION}")
            }
            TraceError::Header(what) => write!(f, "the trace's header is damaged: {what}"),
        }
    }
}

impl core::error::Error for TraceError {}

/// A place where a trace could not be read further. Events that come later in the total order than
/// the last whole one before it are left out, so that what remains is a prefix of the execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Offset in bytes within the file.
    pub offset: usize,
    /// What is wrong there.
    pub what: &'static str,
}

/// A place in the source.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Site {
    /// Path as the compiler was given it.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// What is known of a thread from its own events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThreadInfo {
    /// The operating system's thread id.
    pub os_thread: u32,
    /// The thread that spawned it, 0 if none is known.
    pub parent: u32,
    /// Its name, empty if it has none.
    pub name: String,
    /// Where it was spawned, 0 if not known.
    pub site: u32,
}

/// What is known of an object from its first use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// What it is.
    pub kind: ObjectKind,
    /// [`crate::encode::birth_hash`] of its constructor call, 0 if not known.
    pub birth: u32,
    /// Its address at first use.
    pub address: u64,
    /// Sequence number of its first use.
    pub seq: u64,
    /// Place of its first use.
    pub site: u32,
}

/// Everything in one trace file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessTrace {
    /// Process id.
    pub pid: u32,
    /// Parent's process id.
    pub parent_pid: u32,
    /// Whether it came from a fork of a recorded process.
    pub forked: bool,
    /// The header's state word, see [`crate::layout::state`].
    pub state: u32,
    /// The clock when the file was made.
    pub first_seq: u64,
    /// Address at which the executable was loaded.
    pub load_base: u64,
    /// Path of the executable.
    pub executable: String,
    /// Command line.
    pub command_line: Vec<String>,
    /// Threads by number.
    pub threads: BTreeMap<u32, ThreadInfo>,
    /// Objects by number.
    pub objects: BTreeMap<u32, ObjectInfo>,
    /// Source locations by number.
    pub sites: BTreeMap<u32, Site>,
    /// Addresses of code, innermost first, by the number of the source location that they stand for. Such
    /// a site's file, line and column are empty until somebody looks them up in the executable.
    pub code_sites: BTreeMap<u32, Vec<u64>>,
    /// Events that are not definitions, in the order of their sequence numbers.
    pub events: Vec<Event>,
    /// Who an object is to all processes, by its number.
    pub shared: BTreeMap<u32, Shared>,
    /// How processes were about to be made, by the sequence number of the [`Kind::Fork`].
    pub births: BTreeMap<u64, Birth<Vec<u64>>>,
    /// What the memory layer said, by the sequence number of the event that says it.
    pub memory: BTreeMap<u64, MemoryRecord>,
    /// What the memory layer saw and forgot.
    pub memory_counts: Counts,
    /// The clock when recording stopped before the process ended.
    pub stopped: Option<u64>,
    /// The clock when the first access to shared memory was left out.
    pub shared_until: Option<u64>,
    /// Where the file could not be read.
    pub damage: Vec<Damage>,
}

/// The payload of an event of the memory layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemoryRecord {
    /// Of a [`Kind::DataRace`] or a [`Kind::Conflict`].
    Conflict(Box<Conflict<Vec<u64>>>),
    /// Of a [`Kind::AtomicUpdate`].
    Update(Box<Update<Vec<u64>>>),
    /// Of a [`Kind::SharedAccess`].
    Shared(Box<SharedAccess<Vec<u64>>>),
}

/// A decoded record: the event, and the payload of a long one.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The event. For a long kind `arg` is the payload's length.
    pub event: Event,
    /// The payload, empty for other kinds.
    pub payload: &'a [u8],
}

/// Reads the records of one chunk, from where an earlier reader of the same chunk stopped.
///
/// A live chunk grows: call again with the same cursor later, with the same or newer bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChunkCursor {
    /// Offset within the chunk of the next record.
    pub offset: usize,
    /// The thread whose events come next, 0 before the first `Owner`.
    pub owner: u32,
}

/// What a cursor found.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// A whole record.
    Record(Record<'a>),
    /// Nothing committed here (yet), or the chunk is full.
    End,
    /// Bytes that no recorder writes.
    Damaged(&'static str),
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(8)?)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

fn half(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

/// Whether records of this kind carry a payload.
#[must_use]
pub const fn is_long(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::ProcessInfo
            | Kind::SiteDef
            | Kind::CodeSite
            | Kind::ThreadStart
            | Kind::ThreadName
            | Kind::ObjectNew
            | Kind::DataRace
            | Kind::Conflict
            | Kind::AtomicUpdate
            | Kind::MemoryCounts
            | Kind::ObjectShared
            | Kind::Fork
            | Kind::SharedAccess
    )
}

impl ChunkCursor {
    /// The next record of `chunk`, and moves past it.
    pub fn step<'a>(&mut self, chunk: &'a [u8]) -> Step<'a> {
        let Some(first) = word(chunk, self.offset) else { return Step::End };
        if first == 0 {
            return Step::End;
        }
        let (Some(second), Some(arg)) = (word(chunk, self.offset + 8), word(chunk, self.offset + 16)) else {
            return Step::Damaged("a record is cut off");
        };
        let Some(kind) = Kind::from_wire((first >> 48) as u8) else {
            return Step::Damaged("unknown kind of event");
        };
        let Some(mode) = Mode::from_wire((first >> 56) as u8 & 15) else {
            return Step::Damaged("unknown mode");
        };
        let start = self.offset + RECORD_SIZE;
        let len = if is_long(kind) { arg } else { 0 };
        if len > MAX_PAYLOAD as u64 {
            return Step::Damaged("a payload is longer than any can be");
        }
        let len = len as usize;
        let Some(payload) = chunk.get(start..start + len) else {
            return Step::Damaged("a payload is cut off");
        };
        let object = second as u32;
        if kind == Kind::Owner {
            self.owner = object;
        }
        if self.owner == 0 {
            return Step::Damaged("events without a thread");
        }
        self.offset = start + len.next_multiple_of(8);
        let event = Event {
            seq: first & MAX_SEQ,
            thread: self.owner,
            kind,
            mode,
            flags: Flags((first >> 60) as u8),
            object,
            site: (second >> 32) as u32,
            arg,
        };
        Step::Record(Record { event, payload })
    }
}

impl ProcessTrace {
    /// Decodes a whole trace file.
    ///
    /// # Errors
    /// If the bytes do not begin with a usable header of this version. Damage further on is noted
    /// in [`ProcessTrace::damage`] instead, and what comes before it is kept.
    pub fn decode(bytes: &[u8]) -> Result<ProcessTrace, TraceError> {
        let mut trace = ProcessTrace::decode_header(bytes)?;
        let mut horizon = match word(bytes, header::STOP_SEQ) {
            None | Some(0) => MAX_SEQ,
            Some(stopped) => stopped,
        };
        trace.stopped = (horizon != MAX_SEQ).then_some(horizon);
        let mut owners = Vec::new();
        for start in (HEADER_SIZE..bytes.len()).step_by(CHUNK_SIZE) {
            let chunk = &bytes[start..bytes.len().min(start + CHUNK_SIZE)];
            if let Some(last_whole) = trace.decode_chunk(chunk, start, &mut owners) {
                horizon = horizon.min(last_whole);
            }
        }
        trace.events.sort_by_key(|event| event.seq);
        if trace.note_missing_chunks(bytes) {
            horizon = horizon.min(trace.known_before_losses(owners));
        }
        trace.cut_after(horizon);
        Ok(trace)
    }

    /// Leaves out what came after the event with this sequence number: events, and threads and
    /// objects that were new then.
    pub fn cut_after(&mut self, last: u64) {
        if self.events.last().is_none_or(|event| event.seq <= last) {
            return;
        }
        self.events.retain(|event| event.seq <= last);
        self.objects.retain(|_, object| object.seq <= last);
        self.memory.retain(|&seq, _| seq <= last);
        self.births.retain(|&seq, _| seq <= last);
        let begun: BTreeSet<u32> = self.events.iter().map(|event| event.thread).collect();
        self.threads.retain(|thread, _| begun.contains(thread));
    }

    /// Decodes the header alone.
    ///
    /// # Errors
    /// As [`ProcessTrace::decode`].
    pub fn decode_header(bytes: &[u8]) -> Result<ProcessTrace, TraceError> {
        let short = || TraceError::TooShort(bytes.len());
        if bytes.len() >= MAGIC.len() && bytes[..MAGIC.len()] != MAGIC {
            return Err(TraceError::NotATrace);
        }
        if bytes.len() < HEADER_SIZE {
            return Err(short());
        }
        let field = |at| half(bytes, at).ok_or_else(short);
        let version = field(header::VERSION)?;
        if version != VERSION {
            return Err(TraceError::Version(version));
        }
        if field(header::CHUNK_SIZE)? as usize != CHUNK_SIZE {
            return Err(TraceError::Header("unknown chunk size"));
        }
        Ok(ProcessTrace {
            pid: field(header::PID)?,
            parent_pid: field(header::PARENT_PID)?,
            forked: field(header::FORKED)? != 0,
            state: field(header::STATE)?,
            first_seq: word(bytes, header::FIRST_SEQ).ok_or_else(short)?,
            load_base: word(bytes, header::LOAD_BASE).ok_or_else(short)?,
            ..ProcessTrace::default()
        })
    }

    /// Number of chunks that the header says were handed out, or 0 without a whole header.
    #[must_use]
    pub fn chunk_count(bytes: &[u8]) -> u64 {
        word(bytes, header::CHUNKS).unwrap_or(0)
    }

    /// Decodes one chunk; gives the sequence number of the last whole event if it is damaged. Its
    /// first owner, and when that took it, is added to `owners`.
    fn decode_chunk(&mut self, chunk: &[u8], start: usize, owners: &mut Vec<(u64, u32)>) -> Option<u64> {
        let mut cursor = ChunkCursor::default();
        let mut last = self.first_seq;
        let what = loop {
            let offset = cursor.offset;
            match cursor.step(chunk) {
                Step::Record(record) => {
                    if offset == 0 {
                        owners.push((record.event.seq, record.event.thread));
                    }
                    last = last.max(record.event.seq);
                    self.take(record);
                }
                Step::End if offset > 0 && chunk.len() < CHUNK_SIZE && offset + 8 > chunk.len() => {
                    break "the file ends within a chunk";
                }
                Step::End => return None,
                Step::Damaged(what) => break what,
            }
        };
        self.damage.push(Damage { offset: start + cursor.offset, what });
        Some(last)
    }

    /// Notes it if the file is shorter than it once was.
    fn note_missing_chunks(&mut self, bytes: &[u8]) -> bool {
        // Of a chunk shorter than one word nothing is there.
        let there = ((bytes.len() - HEADER_SIZE + CHUNK_SIZE - 8) / CHUNK_SIZE) as u64;
        let missing = word(bytes, header::EXTENDED).is_some_and(|once| once > there);
        if missing {
            self.damage.push(Damage { offset: bytes.len(), what: "the file ends before its last chunk" });
        }
        missing
    }

    /// A sequence number before that of anything in a chunk behind those that are there.
    ///
    /// Chunks are handed out in the order of their positions, so whatever the first owner of one did
    /// before it asked for it came before anything in the chunks behind. Takes `owners` as
    /// [`ProcessTrace::decode_chunk`] found them, and the events sorted.
    fn known_before_losses(&self, mut owners: Vec<(u64, u32)>) -> u64 {
        owners.sort_unstable();
        let mut last_of = BTreeMap::new();
        let mut events = self.events.iter().peekable();
        let mut known = self.first_seq;
        for (taken, thread) in owners {
            while let Some(event) = events.next_if(|event| event.seq < taken) {
                last_of.insert(event.thread, event.seq);
            }
            known = known.max(last_of.get(&thread).copied().unwrap_or(0));
        }
        known
    }

    /// Takes in one record: a definition or an event.
    pub fn take(&mut self, record: Record<'_>) {
        let Record { event, payload } = record;
        let text = |at: usize| String::from_utf8_lossy(payload.get(at..).unwrap_or(&[])).into_owned();
        match event.kind {
            Kind::Owner => {}
            Kind::ProcessInfo => self.take_process_info(payload),
            Kind::SiteDef => {
                let (line, column) = (half(payload, 0).unwrap_or(0), half(payload, 4).unwrap_or(0));
                self.sites.insert(event.object, Site { file: text(8), line, column });
            }
            Kind::CodeSite => {
                let addresses = payload.chunks_exact(8).filter_map(|bytes| word(bytes, 0));
                self.code_sites.insert(event.object, addresses.collect());
                self.sites.insert(event.object, Site::default());
            }
            Kind::ThreadStart => {
                let (os_thread, parent) = (half(payload, 0).unwrap_or(0), half(payload, 4).unwrap_or(0));
                let info = ThreadInfo { os_thread, parent, name: text(8), site: event.site };
                self.threads.insert(event.thread, info);
                self.events.push(event);
            }
            Kind::ThreadName => self.threads.entry(event.thread).or_default().name = text(0),
            Kind::ObjectNew => self.take_object(event, payload),
            Kind::DataRace | Kind::Conflict => {
                let read = Reader::new(payload).conflict();
                self.take_memory(event, read.map(|read| MemoryRecord::Conflict(Box::new(read))));
            }
            Kind::AtomicUpdate => {
                let read = Reader::new(payload).update();
                self.take_memory(event, read.map(|read| MemoryRecord::Update(Box::new(read))));
            }
            Kind::SharedAccess => {
                let read = Reader::new(payload).shared_access();
                self.take_memory(event, read.map(|read| MemoryRecord::Shared(Box::new(read))));
            }
            Kind::ObjectShared => {
                if let Some(shared) = process::read_shared(payload) {
                    self.shared.insert(event.object, shared);
                }
            }
            Kind::Fork => {
                if let Some(birth) = process::read_birth(payload) {
                    self.births.insert(event.seq, birth);
                }
                self.events.push(Event { arg: 0, ..event });
            }
            Kind::MemoryCounts => {
                self.memory_counts = Reader::new(payload).counts().unwrap_or(self.memory_counts);
                if self.memory_counts.shared_dropped > 0 {
                    let first = self.shared_until.map_or(event.seq, |known| known.min(event.seq));
                    self.shared_until = Some(first);
                }
            }
            _ => self.events.push(event),
        }
    }

    /// Takes in an event of the memory layer; one that cannot be read is left out.
    fn take_memory(&mut self, event: Event, record: Option<MemoryRecord>) {
        if let Some(record) = record {
            self.memory.insert(event.seq, record);
            self.events.push(event);
        }
    }

    fn take_process_info(&mut self, payload: &[u8]) {
        let mut parts =
            payload.split(|&byte| byte == 0).map(|part| String::from_utf8_lossy(part).into_owned());
        self.executable = parts.next().unwrap_or_default();
        self.command_line = parts.collect();
        while self.command_line.last().is_some_and(String::is_empty) {
            self.command_line.pop();
        }
    }

    fn take_object(&mut self, event: Event, payload: &[u8]) {
        let kind = half(payload, 0).and_then(|kind| ObjectKind::from_wire(u8::try_from(kind).ok()?));
        let (Some(kind), Some(birth), Some(address)) = (kind, half(payload, 4), word(payload, 8)) else {
            return;
        };
        let info = ObjectInfo { kind, birth, address, seq: event.seq, site: event.site };
        self.objects.insert(event.object, info);
    }
}
