//! Executions of several processes for tests: process 0 forks the others before anything else.
//!
//! All have in common what process 0 defines: [`MEMORY`], [`MUTEX`], [`PIPE`] and, of its own, [`PRIVATE`].

use snag_trace::decode::MemoryRecord;
use snag_trace::memory::{Access, AccessKind, Ordering, SharedAccess};
use snag_trace::process::{Birth, How, Shared};
use snag_trace::{Event, Flags, Kind, Mode, ObjectInfo, ObjectKind, ProcessTrace, ThreadInfo};

use crate::model::execution::Execution;
use crate::run::meta::RunMeta;

pub(crate) const MEMORY: u32 = 1;
pub(crate) const MUTEX: u32 = 2;
pub(crate) const PIPE: u32 = 3;
pub(crate) const PRIVATE: u32 = 4;
const PID: u32 = 100;

/// Traces under construction, one per process, with one thread each.
pub(crate) struct Family {
    traces: Vec<ProcessTrace>,
    seq: u64,
}

impl Family {
    /// So many processes.
    pub(crate) fn of(count: u32) -> Family {
        let mut family = Family { traces: Vec::new(), seq: 0 };
        for number in 0..count {
            let threads = [(1, ThreadInfo::default())].into();
            let (pid, parent_pid) = (PID + number, PID);
            let trace =
                ProcessTrace { pid, parent_pid, threads, forked: number > 0, ..ProcessTrace::default() };
            family.traces.push(trace);
        }
        let kinds = [
            (MEMORY, ObjectKind::SharedMemory),
            (MUTEX, ObjectKind::PthreadMutex),
            (PIPE, ObjectKind::Pipe),
            (PRIVATE, ObjectKind::PthreadMutex),
        ];
        for (number, kind) in kinds {
            let info = ObjectInfo { kind, birth: 0, address: 0, seq: 0, site: 0 };
            family.traces[0].objects.insert(number, info);
            if number != PRIVATE {
                let shared = Shared { device: 1, inode: 7, offset: u64::from(number) * 64 };
                family.traces[0].shared.insert(number, shared);
            }
        }
        for child in 1..count as usize {
            let fork = family.event(0, Kind::Fork, 0, 0);
            family.traces[0].births.insert(fork, Birth { how: How::Fork, stack: Vec::new() });
            family.traces[child].first_seq = fork;
            family.event(child, Kind::ProcessStart, 0, fork);
        }
        family
    }

    /// An event of a process; gives its number.
    pub(crate) fn event(&mut self, process: usize, kind: Kind, object: u32, arg: u64) -> u64 {
        self.seq += 1;
        let is_lock = matches!(kind, Kind::Acquire | Kind::Release);
        let mode = if is_lock { Mode::Exclusive } else { Mode::None };
        let (seq, flags) = (self.seq, Flags::NONE);
        let event = Event { seq, thread: 1, kind, mode, flags, object, site: 0, arg };
        self.traces[process].events.push(event);
        seq
    }

    /// An access to the first eight bytes of the memory: an atomic one if it has an ordering. `value` is
    /// what it read or wrote; an update reads one less.
    pub(crate) fn access(&mut self, process: usize, kind: AccessKind, ordering: Ordering, value: u64) -> u64 {
        let began = if ordering == Ordering::NotAtomic { 0 } else { self.seq + 1 };
        self.seq += 1;
        let seq = self.event(process, Kind::SharedAccess, MEMORY, 0);
        let read = if kind == AccessKind::AtomicUpdate { value - 1 } else { value };
        let stack = vec![0x1000 + process as u64 * 16 + kind as u64];
        let access = Access { thread: 1, kind, ordering, size: 8, address: 0x7000, after: 0, value, stack };
        let shared = SharedAccess { offset: 0, read, began, access };
        self.traces[process].memory.insert(seq, MemoryRecord::Shared(Box::new(shared)));
        seq
    }

    /// A plain read.
    pub(crate) fn read(&mut self, process: usize) -> u64 {
        self.access(process, AccessKind::Read, Ordering::NotAtomic, 0)
    }

    /// A plain write.
    pub(crate) fn write(&mut self, process: usize) -> u64 {
        self.access(process, AccessKind::Write, Ordering::NotAtomic, 0)
    }

    /// The mutex is taken, `work` done, and the mutex given up; gives what `work` gave.
    pub(crate) fn locked(&mut self, process: usize, work: impl FnOnce(&mut Family) -> u64) -> u64 {
        self.event(process, Kind::Acquire, MUTEX, 0);
        self.event(process, Kind::Write, MUTEX, 0);
        let result = work(self);
        self.event(process, Kind::Release, MUTEX, 0);
        result
    }

    /// Something of a process's trace is otherwise.
    pub(crate) fn but(&mut self, process: usize, change: impl FnOnce(&mut ProcessTrace)) {
        change(&mut self.traces[process]);
    }

    pub(crate) fn load(self) -> Execution {
        Execution::load(self.traces, &RunMeta::default())
    }
}
