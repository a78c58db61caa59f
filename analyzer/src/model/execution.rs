//! One execution: the events of all processes of a run in one order, with dense numbers.
//!
//! Invariants:
//! * Events are sorted by sequence number, which is a legal execution of the program.
//! * [`ThreadId`], [`ObjectId`] and [`SiteId`] are unique over the whole run; 0 is none of them.
//! * `arg` of an event that names a thread or a lock is translated as well, see [`Event::arg`].
//! * The same traces give the same numbers.

use std::collections::HashMap;
use std::sync::OnceLock;

use snag_trace::process::{How, Shared};
use snag_trace::{Flags, Kind, Mode, ObjectKind, ProcessTrace};

use crate::model::happens_before::HappensBefore;
use crate::model::memory::{Memory, is_remark};
use crate::model::processes;
use crate::model::sections::Sections;
use crate::model::wait_for::WaitState;
use crate::model::{shared_memory, shared_sections};
use crate::run::meta::{Busiest, ExploredExecution, KernelWait, RunMeta};

/// Declares an index that is unique over the run; 0 means none.
macro_rules! index {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl $name {
            /// As an index into a slice.
            #[must_use]
            pub const fn at(self) -> usize {
                self.0 as usize
            }

            /// Whether this is none.
            #[must_use]
            pub const fn is_none(self) -> bool {
                self.0 == 0
            }
        }
    };
}

index! {
    /// A thread of the run, an index into [`Execution::threads`].
    ThreadId
}
index! {
    /// An object of the run, an index into [`Execution::objects`].
    ObjectId
}
index! {
    /// A source location of one process of the run, an index into [`Execution::sites`].
    SiteId
}

/// One event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Position in the run's total order.
    pub seq: u64,
    /// What [`Kind`] says. Where it says thread this is a [`ThreadId`], where it says lock an
    /// [`ObjectId`].
    pub arg: u64,
    /// The thread.
    pub thread: ThreadId,
    /// The object.
    pub object: ObjectId,
    /// The place.
    pub site: SiteId,
    /// What happened.
    pub kind: Kind,
    /// How.
    pub mode: Mode,
    /// Qualifications.
    pub flags: Flags,
}

impl Event {
    /// In the form of a recorder's event, with the numbers of the run.
    #[must_use]
    pub const fn as_recorded(&self) -> snag_trace::Event {
        snag_trace::Event {
            seq: self.seq,
            thread: self.thread.0,
            kind: self.kind,
            mode: self.mode,
            flags: self.flags,
            object: self.object.0,
            site: self.site.0,
            arg: self.arg,
        }
    }
}

/// A thread of the run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thread {
    /// Index of its process.
    pub process: u32,
    /// Its number within its process.
    pub number: u32,
    /// The thread that spawned it.
    pub parent: ThreadId,
    /// Where it was spawned.
    pub spawned_at: SiteId,
    /// Indices of its events, in order.
    pub events: Vec<u32>,
    /// Whether its code ended.
    pub ended: bool,
}

/// An object of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Object {
    /// Index of its process.
    pub process: u32,
    /// Its number within its process.
    pub number: u32,
    /// What it is, if its definition was recorded.
    pub kind: Option<ObjectKind>,
    /// Who it is to all processes that see it, if it is not one process's alone.
    pub shared: Option<Shared>,
    /// What it is a copy of, which the parent of a forked process had.
    pub copy_of: ObjectId,
}

/// A place of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// Index of its process.
    pub process: u32,
    /// Its number within its process.
    pub number: u32,
}

/// A process of the run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Its trace without the events.
    pub definitions: ProcessTrace,
    /// The clock when snag found that no thread of it could go on, if it did.
    pub stuck: Option<u64>,
    /// What its threads waited for then, if the kernel was asked.
    pub waits: Vec<KernelWait>,
    /// Index of its `Exit` event, if it exited normally.
    pub exit: Option<u32>,
    /// Whether it was still running when its trace was read.
    pub alive: bool,
    /// Index of the process that made it, or that it was before an `exec`.
    pub parent: Option<u32>,
    /// How it was made, if that was seen.
    pub how: Option<How>,
    /// Index of the event that made it: a `Fork`, or the `Exec` of an earlier image.
    pub made_by: Option<u32>,
}

impl Process {
    /// Whether its trace reaches to its end: if recording stopped before, or the process goes on,
    /// who holds what at the end of the trace means nothing.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.definitions.state == 0 && !self.alive
    }
}

/// Everything that happened.
#[derive(Debug, Default)]
pub struct Execution {
    /// Processes in order of birth.
    pub processes: Vec<Process>,
    /// Threads; the first entry is nobody.
    pub threads: Vec<Thread>,
    /// Objects; the first entry is none.
    pub objects: Vec<Object>,
    /// Places; the first entry is none.
    pub sites: Vec<Site>,
    /// Events of all processes in order, without what [`Execution::memory`] has.
    pub events: Vec<Event>,
    /// What the memory layer said.
    pub memory: Memory,
    /// Whether main threads only wait for tests.
    pub test_harness: bool,
    /// What was executed by a schedule, and how that ended.
    pub explored: Option<ExploredExecution>,
    /// When far too many threads of the run wanted to run, if they did.
    pub busiest: Option<Busiest>,
    /// Processes of the run that are not in here and count before these.
    pub earlier_processes: u32,
    happens_before: OnceLock<HappensBefore>,
    sections: OnceLock<Sections>,
    end: OnceLock<WaitState>,
}

/// The numbers of one process's trace, as numbers of the run.
struct Numbering {
    process: u32,
    threads: HashMap<u32, ThreadId>,
    objects: HashMap<u32, ObjectId>,
    sites: HashMap<u32, SiteId>,
    /// What the process that it was forked from calls its objects.
    inherited: HashMap<u32, ObjectId>,
}

/// What processes have in common, while they are merged.
#[derive(Default)]
struct Common {
    shared: HashMap<(ObjectKind, Shared), ObjectId>,
    /// By process: what its objects are called.
    objects: Vec<HashMap<u32, ObjectId>>,
}

impl Execution {
    /// Merges the traces of a run. Processes are numbered in order of birth.
    ///
    /// # Panics
    /// If there are more than `u32::MAX` events.
    #[must_use]
    pub fn load(mut traces: Vec<ProcessTrace>, meta: &RunMeta) -> Execution {
        traces.sort_by_key(|trace| (trace.first_seq, trace.pid));
        let mut execution = Execution {
            threads: vec![Thread::default()],
            objects: vec![Object::default()],
            sites: vec![Site::default()],
            test_harness: meta.test_harness,
            explored: meta.explored.clone(),
            busiest: meta.busiest.clone(),
            ..Execution::default()
        };
        execution.events.reserve_exact(traces.iter().map(|trace| trace.events.len()).sum());
        let several = traces.len() > 1;
        let mut common = Common::default();
        for trace in traces {
            execution.add_process(trace, &mut common);
        }
        if several {
            execution.events.sort_by_key(|event| event.seq);
            execution.memory.sort();
        }
        execution.note_fates(meta);
        if several {
            shared_sections::refine(&mut execution);
        }
        execution.index_events();
        if several {
            processes::relate(&mut execution);
            let remarks = shared_memory::judge(&execution);
            execution.memory.remarks.extend(remarks);
            execution.memory.sort();
        }
        execution
    }

    fn add_process(&mut self, mut trace: ProcessTrace, common: &mut Common) {
        let events = std::mem::take(&mut trace.events);
        let process = u32::try_from(self.processes.len()).expect("fewer processes than u32::MAX");
        let parent = self.processes.iter().rposition(|it| it.definitions.pid == trace.parent_pid);
        let inherited = parent.filter(|_| trace.forked).map(|parent| common.objects[parent].clone());
        let mut numbering = Numbering {
            process,
            threads: HashMap::new(),
            objects: HashMap::new(),
            sites: HashMap::new(),
            inherited: inherited.unwrap_or_default(),
        };
        for &number in trace.sites.keys() {
            numbering.site(self, number);
        }
        for &number in trace.threads.keys() {
            numbering.thread(self, number);
        }
        for (&number, info) in &trace.objects {
            numbering.define(self, common, number, info.kind, trace.shared.get(&number).copied());
        }
        for (&number, info) in &trace.threads {
            let thread = numbering.thread(self, number);
            self.threads[thread.at()].parent = numbering.thread(self, info.parent);
            self.threads[thread.at()].spawned_at = numbering.site(self, info.site);
        }
        for event in events {
            let event = numbering.event(self, event);
            if is_remark(event.kind) {
                let mut memory = std::mem::take(&mut self.memory);
                memory.take(process, event, &mut trace, |thread| numbering.thread(self, thread));
                self.memory = memory;
            } else {
                self.events.push(event);
            }
        }
        self.memory.add_counts(&trace.memory_counts);
        let mut objects = numbering.inherited;
        objects.extend(numbering.objects);
        common.objects.push(objects);
        let parent = parent.and_then(|parent| u32::try_from(parent).ok());
        self.processes.push(Process { definitions: trace, parent, ..Process::default() });
    }

    /// A pid that exec'd has several traces; only its last image can be stuck or alive.
    fn note_fates(&mut self, meta: &RunMeta) {
        for stuck in &meta.stuck {
            if let Some(process) = self.last_image(stuck.pid) {
                process.stuck = Some(stuck.seq);
                process.waits.clone_from(&stuck.waits);
            }
        }
        for &pid in &meta.alive {
            if let Some(process) = self.last_image(pid) {
                process.alive = true;
            }
        }
    }

    fn last_image(&mut self, pid: u32) -> Option<&mut Process> {
        self.processes.iter_mut().rev().find(|process| process.definitions.pid == pid)
    }

    fn index_events(&mut self) {
        for (index, event) in self.events.iter().enumerate() {
            let index = u32::try_from(index).expect("fewer events than u32::MAX");
            let thread = &mut self.threads[event.thread.at()];
            thread.events.push(index);
            match event.kind {
                Kind::ThreadEnd => thread.ended = true,
                Kind::Exit => self.processes[thread.process as usize].exit = Some(index),
                _ => {}
            }
        }
    }

    /// All threads.
    pub fn thread_ids(&self) -> impl Iterator<Item = ThreadId> + use<> {
        (1..u32::try_from(self.threads.len()).unwrap_or(u32::MAX)).map(ThreadId)
    }

    /// Index of the event with this sequence number.
    #[must_use]
    pub fn index_of(&self, seq: u64) -> Option<u32> {
        let index = self.events.binary_search_by_key(&seq, |event| event.seq).ok()?;
        u32::try_from(index).ok()
    }

    /// Index of the last event that this thread recorded up to number `seq`, that one included.
    #[must_use]
    pub fn last_of(&self, thread: ThreadId, seq: u64) -> Option<u32> {
        let own = &self.thread(thread).events;
        let count = own.partition_point(|&event| self.events[event as usize].seq <= seq);
        Some(own[count.checked_sub(1)?])
    }

    /// What came before what, found when first asked for.
    pub fn happens_before(&self) -> &HappensBefore {
        self.happens_before.get_or_init(|| HappensBefore::of(self))
    }

    /// All critical sections, found when first asked for.
    pub fn sections(&self) -> &Sections {
        self.sections.get_or_init(|| Sections::of(self))
    }

    /// Who waited and who held what when the trace ended, in numbers of the run.
    pub fn end(&self) -> &WaitState {
        self.end.get_or_init(|| {
            let mut state = WaitState::new();
            for event in &self.events {
                state.apply(&event.as_recorded());
            }
            state
        })
    }

    /// The thread's place in the run.
    #[must_use]
    pub fn thread(&self, thread: ThreadId) -> &Thread {
        &self.threads[thread.at()]
    }

    /// What kind of object this is, if it is known.
    #[must_use]
    pub fn kind(&self, object: ObjectId) -> Option<ObjectKind> {
        self.objects[object.at()].kind
    }
}

impl Numbering {
    fn thread(&mut self, execution: &mut Execution, number: u32) -> ThreadId {
        let (process, threads) = (self.process, &mut execution.threads);
        number_of(
            &mut self.threads,
            number,
            threads,
            Thread { process, number, ..Thread::default() },
            ThreadId,
        )
    }

    fn object(&mut self, execution: &mut Execution, number: u32) -> ObjectId {
        let process = self.process;
        let mut new = Object { process, number, ..Object::default() };
        if let Some(&original) = self.inherited.get(&number)
            && !self.objects.contains_key(&number)
        {
            let there = execution.objects[original.at()];
            if there.shared.is_some() {
                self.objects.insert(number, original);
                return original;
            }
            new = Object { copy_of: original, ..there };
        }
        number_of(&mut self.objects, number, &mut execution.objects, new, ObjectId)
    }

    /// The process itself defines this object: it is no copy, and the same as another process's if it is
    /// known to all of them as that.
    fn define(
        &mut self,
        execution: &mut Execution,
        common: &mut Common,
        number: u32,
        kind: ObjectKind,
        shared: Option<Shared>,
    ) {
        let process = self.process;
        let known = shared.and_then(|shared| common.shared.get(&(kind, shared)).copied());
        let object = known.unwrap_or_else(|| {
            let new = Object { process, number, kind: Some(kind), shared, ..Object::default() };
            number_of(&mut self.objects, number, &mut execution.objects, new, ObjectId)
        });
        self.objects.insert(number, object);
        if let Some(shared) = shared {
            common.shared.insert((kind, shared), object);
        }
    }

    fn site(&mut self, execution: &mut Execution, number: u32) -> SiteId {
        let (process, sites) = (self.process, &mut execution.sites);
        number_of(&mut self.sites, number, sites, Site { process, number }, SiteId)
    }

    fn event(&mut self, execution: &mut Execution, event: snag_trace::Event) -> Event {
        let number = u32::try_from(event.arg).unwrap_or(0);
        let arg = match event.kind {
            Kind::Spawn | Kind::Join | Kind::Unpark => u64::from(self.thread(execution, number).0),
            Kind::Request if event.mode == Mode::Join => u64::from(self.thread(execution, number).0),
            Kind::WaitBegin | Kind::StreamPeer => u64::from(self.object(execution, number).0),
            _ => event.arg,
        };
        Event {
            seq: event.seq,
            arg,
            thread: self.thread(execution, event.thread),
            object: self.object(execution, event.object),
            site: self.site(execution, event.site),
            kind: event.kind,
            mode: event.mode,
            flags: event.flags,
        }
    }
}

/// The run's number of a process's `number`, made if it is new; 0 stays 0.
fn number_of<T, Id: Copy>(
    known: &mut HashMap<u32, Id>,
    number: u32,
    all: &mut Vec<T>,
    new: T,
    id: fn(u32) -> Id,
) -> Id {
    if number == 0 {
        return id(0);
    }
    *known.entry(number).or_insert_with(|| {
        all.push(new);
        id(u32::try_from(all.len() - 1).expect("numbers of 32 bits each"))
    })
}

#[cfg(test)]
mod tests {
    use snag_trace::{
        Event as Recorded, Flags, Kind, Mode, ObjectInfo, ObjectKind, ProcessTrace, ThreadInfo,
    };

    use super::{Execution, ThreadId};
    use crate::model::memory::Said;
    use crate::model::script;
    use crate::run::meta::{RunMeta, StuckProcess};

    fn recorded(seq: u64, thread: u32, kind: Kind, object: u32, arg: u64) -> Recorded {
        Recorded { seq, thread, kind, mode: Mode::None, flags: Flags::NONE, object, site: 0, arg }
    }

    fn trace(pid: u32, first_seq: u64, events: Vec<Recorded>) -> ProcessTrace {
        let threads = events.iter().map(|event| (event.thread, ThreadInfo::default())).collect();
        let info = ObjectInfo { kind: ObjectKind::Mutex, birth: 1, address: 0, seq: 0, site: 0 };
        let objects =
            events.iter().filter(|event| event.object != 0).map(|event| (event.object, info)).collect();
        ProcessTrace { pid, first_seq, events, threads, objects, ..ProcessTrace::default() }
    }

    #[test]
    fn processes_are_merged_in_order_and_their_numbers_do_not_clash() {
        let child = trace(8, 5, vec![recorded(6, 1, Kind::Acquire, 1, 0)]);
        let parent = trace(
            7,
            0,
            vec![
                recorded(1, 1, Kind::Acquire, 1, 0),
                recorded(4, 1, Kind::Spawn, 0, 2),
                recorded(9, 2, Kind::ThreadEnd, 0, 0),
            ],
        );
        let execution = Execution::load(vec![child, parent], &RunMeta::default());
        assert_eq!(execution.processes[0].definitions.pid, 7);
        let seqs: Vec<u64> = execution.events.iter().map(|event| event.seq).collect();
        assert_eq!(seqs, [1, 4, 6, 9]);
        assert_ne!(execution.events[0].object, execution.events[2].object);
        assert_ne!(execution.events[0].thread, execution.events[2].thread);
        assert_eq!(execution.events[1].arg, u64::from(execution.events[3].thread.0));
        let ended: Vec<bool> = execution.thread_ids().map(|thread| execution.thread(thread).ended).collect();
        assert_eq!(ended, [false, true, false]);
        assert_eq!(execution.index_of(6), Some(2));
        assert_eq!(execution.index_of(5), None);
    }

    #[test]
    fn what_became_of_a_process_belongs_to_its_last_image() {
        let images = vec![trace(7, 0, vec![]), trace(7, 5, vec![]), trace(8, 6, vec![])];
        let stuck = vec![StuckProcess { pid: 7, seq: 9, ..StuckProcess::default() }];
        let execution = Execution::load(images, &RunMeta { stuck, alive: vec![8], ..RunMeta::default() });
        let fates: Vec<_> =
            execution.processes.iter().map(|process| (process.stuck, process.is_whole())).collect();
        assert_eq!(fates, [(None, true), (Some(9), true), (None, false)]);
    }

    #[test]
    fn remarks_of_the_memory_layer_are_kept_apart_with_threads_of_the_run() {
        let execution = script::execution(
            "2 lock m\n2 unlock m\n3 race write8@3,9 2 read4@1>10 heap+16/64:2@1 weak store-relaxed1@2 load-relaxed1@3\n\
             3 conflict write8@3 2 read4@1 static\n\
             2 update load-relaxed8@5=1 store-release8@5=2 between 3 store-relaxed8@3=7 unread same static\n\
             3 lock m",
        );
        assert_eq!(execution.events.len(), 3);
        let [race, ordered, update] = &execution.memory.remarks[..] else { panic!("three remarks") };
        let Said::Race(conflict) = &race.said else { panic!("a race") };
        assert_eq!(
            (conflict.current.thread, conflict.previous.thread),
            (race.thread.0, conflict.block.thread)
        );
        assert_ne!(race.thread, execution.events[0].thread);
        assert_eq!((conflict.previous.after, &conflict.current.stack[..]), (10, &[3, 9][..]));
        assert_eq!(conflict.current.address - conflict.block.base, 16);
        assert!(conflict.weak.is_some() && matches!(ordered.said, Said::Ordered(_)));
        let Said::Update(update) = &update.said else { panic!("an update") };
        let between = update.between.as_ref().map(|between| (between.thread, between.value));
        assert_eq!((between, update.unread, update.load.value), (Some((race.thread.0, 7)), true, 1));
        assert_eq!(execution.memory.thread_of(30), Some(race.thread));
        assert_eq!(execution.last_of(race.thread, 55), None);
        assert_eq!(execution.last_of(ThreadId(conflict.previous.thread), 19), Some(0));
    }

    #[test]
    fn events_without_definitions_get_numbers_as_well() {
        let mut trace = trace(7, 0, vec![recorded(1, u32::MAX, Kind::Acquire, u32::MAX, 0)]);
        trace.threads.clear();
        trace.objects.clear();
        let execution = Execution::load(vec![trace], &RunMeta::default());
        assert_eq!(execution.events[0].thread, ThreadId(1));
        assert_eq!(execution.kind(execution.events[0].object), None);
    }
}
