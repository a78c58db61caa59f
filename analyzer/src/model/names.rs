//! How detectors get words for threads, objects and places, without knowing where words come from.

use crate::finding::{Frame, ObjectRef, Place, ThreadRef};
use crate::model::execution::Execution;
use crate::model::flow::Flow;
use crate::model::memory::{Access, Block};
use snag_trace::ObjectKind;

/// Words for the numbers of a trace. `process` is an index into [`Execution::processes`], the other
/// numbers are those of that process's own trace.
pub trait Names {
    /// The object as a report names it.
    fn object(&self, process: u32, object: u32) -> ObjectRef;
    /// The objects of one finding, in the order in which it speaks of them: different ones that
    /// would have the same name (`forks[…]`) are numbered, `forks[…] #1`, in that order.
    fn objects(&self, objects: &[(u32, u32)]) -> Vec<ObjectRef> {
        let plain: Vec<_> = objects.iter().map(|&(process, object)| self.object(process, object)).collect();
        let number = |at: usize| {
            let mut same: Vec<(u32, u32)> = Vec::new();
            for (other, id) in plain.iter().zip(objects) {
                if other.name == plain[at].name && !same.contains(id) {
                    same.push(*id);
                }
            }
            let position = same.iter().position(|id| *id == objects[at])?;
            (same.len() > 1).then_some(position + 1)
        };
        let numbers: Vec<_> = (0..plain.len()).map(number).collect();
        let mut named = plain;
        for (object, number) in named.iter_mut().zip(numbers) {
            if let Some(number) = number {
                object.name = format!("{} #{number}", object.name);
            }
        }
        named
    }
    /// The place in the source, if it is known.
    fn place(&self, process: u32, site: u32) -> Option<Place>;
    /// The thread as a report names it.
    fn thread(&self, process: u32, thread: u32) -> ThreadRef;
    /// The functions of a call stack, innermost first, those that were compiled into others included;
    /// `stack` has the addresses to which calls return.
    fn frames(&self, _process: u32, stack: &[u64]) -> Vec<Frame> {
        let unknown =
            |address: &u64| Frame { function: format!("{address:#x}"), place: None, inlined: false };
        stack.iter().map(unknown).collect()
    }
    /// How what is seen at the first place of `from` bears on what is written at the first of `to`. Each
    /// place is a call; those that follow are the calls of the functions that they are in, up to the one
    /// function that both have in common. Where both are single places in different functions, all callers of
    /// the second must pass on what the first gave them.
    fn flow(&self, _from: &[Place], _to: &[Place]) -> Flow {
        Flow::Unknown
    }
    /// What the source calls the memory of an access to this block.
    fn memory(&self, _process: u32, _access: &Access, _block: &Block) -> MemoryName {
        MemoryName::default()
    }
}

/// What is known of the name of a piece of memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryName {
    /// The variable and field: `COUNTER`, `shared.count`.
    pub name: Option<String>,
    /// The type of the variable or block that it is a part of, or of each of the block's elements.
    pub of_type: Option<String>,
    /// Whether the block has several such elements.
    pub several: bool,
}

/// What a report calls an object of this kind.
#[must_use]
pub const fn kind_word(kind: Option<ObjectKind>) -> &'static str {
    match kind {
        Some(ObjectKind::Mutex | ObjectKind::LockApiMutex | ObjectKind::PthreadMutex) => "mutex",
        Some(ObjectKind::RwLock | ObjectKind::LockApiRwLock | ObjectKind::PthreadRwLock) => "rwlock",
        Some(ObjectKind::Condvar | ObjectKind::ParkingLotCondvar | ObjectKind::PthreadCondvar) => "condvar",
        Some(ObjectKind::Once) => "once",
        Some(ObjectKind::Barrier) => "barrier",
        Some(ObjectKind::Channel) => "channel",
        Some(ObjectKind::ReentrantLock) => "reentrant lock",
        Some(ObjectKind::Semaphore) => "semaphore",
        Some(ObjectKind::PthreadBarrier) => "barrier",
        Some(ObjectKind::PthreadSpinLock) => "spin lock",
        Some(ObjectKind::Pipe) => "pipe",
        Some(ObjectKind::Socket) => "socket",
        Some(ObjectKind::EventDescriptor) => "event descriptor",
        Some(ObjectKind::FileLock | ObjectKind::RecordLock) => "file lock",
        Some(ObjectKind::SharedMemory) => "shared memory",
        None => "object",
    }
}

/// Names from the trace alone: kinds, numbers and places as they were recorded.
#[derive(Clone, Copy, Debug)]
pub struct PlainNames<'a>(pub &'a Execution);

impl Names for PlainNames<'_> {
    fn object(&self, process: u32, object: u32) -> ObjectRef {
        let definitions = self.0.processes.get(process as usize).map(|process| &process.definitions);
        let info = definitions.and_then(|definitions| definitions.objects.get(&object));
        let kind = kind_word(info.map(|info| info.kind));
        ObjectRef { kind: kind.to_owned(), name: format!("{kind} {object}"), born: None }
    }

    fn place(&self, process: u32, site: u32) -> Option<Place> {
        let site = self.0.processes.get(process as usize)?.definitions.sites.get(&site)?;
        Some(Place { file: site.file.clone(), line: site.line, column: site.column })
    }

    fn thread(&self, process: u32, thread: u32) -> ThreadRef {
        let definitions = self.0.processes.get(process as usize).map(|process| &process.definitions);
        let known = definitions.and_then(|definitions| definitions.threads.get(&thread));
        let name = match known.map(|info| info.name.as_str()) {
            Some(name) if !name.is_empty() => name.to_owned(),
            _ if thread == 1 => "main".to_owned(),
            _ => format!("thread-{thread}"),
        };
        ThreadRef { id: thread, name, process: self.0.earlier_processes + process }
    }
}
