//! What had to happen before what, whatever the schedule, and what merely did.
//!
//! Source: Lamport, "Time, Clocks, and the Ordering of Events", CACM 1978, over the events of
//! [`snag_trace::event`]. Each event has *sources* in other threads, of two strengths:
//!
//! * [`Strength::Must`]: spawn before start, end before join, send before receive of the same
//!   message, notify before the end of the wait that it ended, unpark before the park's end,
//!   initialisation before its use, arrivals before departures of a barrier's generation, and what
//!   crosses between processes ([`crate::model::crossing`]). No execution with the target lacks the source. By analogy, a change under a
//!   lock that is *announced* (a notify follows the section) before a look at it that is not: had the
//!   looker come earlier, it would have waited for that notify. And whatever came before an atomic
//!   write that was read with orderings that synchronize, as the memory layer saw it.
//! * [`Strength::Seen`]: the target might have gone otherwise without the source: a read of what a
//!   lock protects (and a write, which may read first) after another thread's write; a value read from an
//!   atomic without synchronizing; room in a channel and permits of a semaphore; a failed attempt and the holder that made it fail.
//!
//! Locks are in neither: their order is the scheduler's choice, and `sync_preserving` adds what of it
//! must stay.
//!
//! Invariant: a source comes before its target in the execution's order.
//!
//! Misses: files leave no events, and without the memory layer atomics leave none either. A timed-out wait
//! has no source.

use std::collections::{HashMap, HashSet};

use snag_trace::{Flags, Kind, Mode};

use crate::model::crossing::Crossing;
use crate::model::execution::{Event, Execution, ObjectId, ThreadId};

/// How a source bears on its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// No execution has the target without the source.
    Must,
    /// Without the source the target might have gone otherwise.
    Seen,
}

/// An event in another thread that comes before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its index.
    pub event: u32,
    /// How it bears on the target.
    pub strength: Strength,
}

/// The sources of all events.
#[derive(Clone, Debug, Default)]
pub struct HappensBefore {
    /// Where each event's sources begin; one more entry than there are events.
    offsets: Vec<u32>,
    sources: Vec<Source>,
    /// Each event's position within its thread.
    position: Vec<u32>,
}

impl HappensBefore {
    /// Finds the sources of every event.
    #[must_use]
    pub fn of(execution: &Execution) -> HappensBefore {
        let mut finder = Finder::new(execution);
        for (index, event) in execution.events.iter().enumerate() {
            finder.visit(u32::try_from(index).expect("fewer events than u32::MAX"), event);
        }
        let mut edges = finder.edges;
        edges.sort_by_key(|(target, _)| *target);
        let mut offsets = vec![0_u32; execution.events.len() + 1];
        for (target, _) in &edges {
            offsets[*target as usize + 1] += 1;
        }
        for index in 1..offsets.len() {
            offsets[index] += offsets[index - 1];
        }
        let mut position = vec![0; execution.events.len()];
        for thread in &execution.threads {
            for (place, &event) in (0_u32..).zip(&thread.events) {
                position[event as usize] = place;
            }
        }
        let sources = edges.into_iter().map(|(_, source)| source).collect();
        HappensBefore { offsets, sources, position }
    }

    /// Events of other threads that come before this one.
    #[must_use]
    pub fn sources(&self, event: u32) -> &[Source] {
        let event = event as usize;
        &self.sources[self.offsets[event] as usize..self.offsets[event + 1] as usize]
    }

    /// How many events of its own thread come before this one.
    #[must_use]
    pub fn position(&self, event: u32) -> u32 {
        self.position[event as usize]
    }
}

#[derive(Default)]
struct Channel {
    /// Messages sent and not yet received.
    waiting: HashMap<u64, u32>,
    sends: u64,
    receives: Vec<u32>,
    /// The most messages that were ever in it.
    fill: u64,
    /// Whether some sender found it full.
    bounded: bool,
    /// Whether some message was sent while nobody waited for it.
    buffers: bool,
    last_send: Option<u32>,
    receiver_end: Option<u32>,
    receiver_waits: Option<u32>,
    sender_ends: HashMap<ThreadId, u32>,
}

#[derive(Default)]
struct Semaphore {
    taken: u64,
    given: Vec<u32>,
    /// The most permits that were ever out beyond those given.
    initial: u64,
}

/// The pass over the events that finds their sources.
struct Finder<'a> {
    execution: &'a Execution,
    edges: Vec<(u32, Source)>,
    started: Vec<bool>,
    last: Vec<Option<u32>>,
    spawned: HashMap<ThreadId, u32>,
    processes: Crossing,
    channels: HashMap<ObjectId, Channel>,
    semaphores: HashMap<ObjectId, Semaphore>,
    notified: HashMap<ObjectId, u32>,
    waiting_since: HashMap<ThreadId, u32>,
    unparked: HashMap<ThreadId, u32>,
    initialised: HashMap<ObjectId, u32>,
    /// Per barrier and generation: who arrived, and once somebody has left the last who did.
    arrived: HashMap<(ObjectId, u64), Vec<u32>>,
    written: HashMap<ObjectId, u32>,
    /// Accesses to what a lock protects in sections that a notify follows.
    announced: HashSet<u32>,
    announced_write: HashMap<ObjectId, u32>,
    acquired: HashMap<ObjectId, u32>,
}

impl<'a> Finder<'a> {
    fn new(execution: &'a Execution) -> Finder<'a> {
        let mut finder = Finder {
            execution,
            edges: Vec::new(),
            started: vec![false; execution.threads.len()],
            last: vec![None; execution.threads.len()],
            spawned: HashMap::new(),
            processes: Crossing::new(execution),
            channels: HashMap::new(),
            semaphores: HashMap::new(),
            notified: HashMap::new(),
            waiting_since: HashMap::new(),
            unparked: HashMap::new(),
            initialised: HashMap::new(),
            arrived: HashMap::new(),
            written: HashMap::new(),
            announced: announced(execution),
            announced_write: HashMap::new(),
            acquired: HashMap::new(),
        };
        finder.measure();
        finder
    }

    /// Learns how much channels and semaphores were seen to hold: that much they can hold.
    fn measure(&mut self) {
        for event in &self.execution.events {
            let semaphore = event.mode == Mode::Permit;
            match event.kind {
                Kind::Send => {
                    let channel = self.channels.entry(event.object).or_default();
                    channel.buffers |= channel.receiver_waits.is_none();
                    channel.receiver_waits = None;
                    channel.sends += 1;
                    channel.fill =
                        channel.fill.max(channel.sends.saturating_sub(channel.receives.len() as u64));
                }
                Kind::Receive => {
                    let channel = self.channels.entry(event.object).or_default();
                    channel.receiver_waits = None;
                    channel.receives.push(0);
                }
                Kind::Request if event.mode == Mode::Receive => {
                    self.channels.entry(event.object).or_default().receiver_waits = Some(0);
                }
                Kind::Request | Kind::ChannelGiveUp if event.mode == Mode::Send => {
                    self.channels.entry(event.object).or_default().bounded = true;
                }
                Kind::Acquire if semaphore => {
                    let semaphore = self.semaphores.entry(event.object).or_default();
                    semaphore.taken += 1;
                    semaphore.initial =
                        semaphore.initial.max(semaphore.taken.saturating_sub(semaphore.given.len() as u64));
                }
                Kind::Release if semaphore => self.semaphores.entry(event.object).or_default().given.push(0),
                _ => {}
            }
        }
        for channel in self.channels.values_mut() {
            channel.sends = 0;
            channel.receives.clear();
            channel.receiver_waits = None;
        }
        for semaphore in self.semaphores.values_mut() {
            semaphore.taken = 0;
            semaphore.given.clear();
        }
    }

    fn edge(&mut self, target: u32, source: Option<u32>, strength: Strength) {
        let Some(event) = source else { return };
        let threads = [target, event].map(|event| self.execution.events[event as usize].thread);
        if threads[0] != threads[1] && event < target {
            self.edges.push((target, Source { event, strength }));
        }
    }

    fn visit(&mut self, index: u32, event: &Event) {
        self.visit_births(index, event);
        let sources = self.processes.sources(self.execution, index, event, &self.last);
        for source in sources {
            self.edge(index, Some(source), Strength::Must);
        }
        match event.kind {
            Kind::Join => {
                let joined = ThreadId(u32::try_from(event.arg).unwrap_or(0));
                self.edge(index, self.last.get(joined.at()).copied().flatten(), Strength::Must);
            }
            Kind::Send | Kind::Receive | Kind::SenderEnd | Kind::ReceiverEnd => {
                self.visit_message(index, event)
            }
            Kind::Disconnected | Kind::ChannelGiveUp => self.visit_refusal(index, event),
            Kind::Request if event.mode == Mode::Receive => {
                self.channels.entry(event.object).or_default().receiver_waits = Some(index);
            }
            Kind::WaitBegin | Kind::WaitEnd | Kind::NotifyOne | Kind::NotifyAll => {
                self.visit_wait(index, event)
            }
            Kind::Unpark => {
                self.unparked.insert(ThreadId(u32::try_from(event.arg).unwrap_or(0)), index);
            }
            Kind::ParkEnd if !event.flags.has(Flags::TIMED_OUT) => {
                let source = self.unparked.remove(&event.thread);
                self.edge(index, source, Strength::Must);
            }
            Kind::OnceBegin => self.edge(index, self.initialised.get(&event.object).copied(), Strength::Seen),
            Kind::OnceEnd => {
                self.initialised.insert(event.object, index);
            }
            Kind::OncePass => self.edge(index, self.initialised.get(&event.object).copied(), Strength::Must),
            Kind::BarrierArrive => self.arrived.entry((event.object, event.arg)).or_default().push(index),
            Kind::BarrierLeave => {
                // The first to leave comes after all arrivals. The others come after it, which says
                // the same with fewer edges: all that it adds is the leaving itself.
                let sources = self.arrived.get_mut(&(event.object, event.arg));
                for source in
                    sources.map(|arrivals| std::mem::replace(arrivals, vec![index])).unwrap_or_default()
                {
                    self.edge(index, Some(source), Strength::Must);
                }
            }
            Kind::Acquire | Kind::Release | Kind::GiveUp | Kind::Read | Kind::Write => {
                self.visit_lock(index, event)
            }
            Kind::SynchronizesWith => self.visit_atomic(index, event, Strength::Must),
            Kind::ReadsFrom => self.visit_atomic(index, event, Strength::Seen),
            _ => {}
        }
        self.last[event.thread.at()] = Some(index);
    }

    fn visit_births(&mut self, index: u32, event: &Event) {
        if event.kind == Kind::Spawn {
            self.spawned.insert(ThreadId(u32::try_from(event.arg).unwrap_or(0)), index);
        }
        if !std::mem::replace(&mut self.started[event.thread.at()], true) {
            self.edge(index, self.spawned.get(&event.thread).copied(), Strength::Must);
        }
    }

    fn visit_message(&mut self, index: u32, event: &Event) {
        let channel = self.channels.entry(event.object).or_default();
        let mut seen = [None; 3];
        let mut must = None;
        match event.kind {
            Kind::Send => {
                channel.sends += 1;
                // Room for as many as were ever in it; a rendezvous needs its receiver.
                let earlier = usize::try_from(channel.sends.saturating_sub(channel.fill)).unwrap_or(0);
                seen[0] = earlier.checked_sub(1).and_then(|last| channel.receives.get(last).copied());
                seen[1] = channel.last_send.filter(|_| channel.bounded);
                seen[2] = channel.receiver_waits.filter(|_| !channel.buffers);
                channel.waiting.insert(event.arg, index);
                channel.last_send = Some(index);
            }
            Kind::Receive => {
                must = channel.waiting.remove(&event.arg);
                seen[0] = channel.receives.last().copied();
                channel.receives.push(index);
                channel.receiver_waits = None;
            }
            Kind::SenderEnd => {
                channel.sender_ends.insert(event.thread, index);
            }
            _ => channel.receiver_end = Some(index),
        }
        self.edge(index, must, Strength::Must);
        for source in seen {
            self.edge(index, source, Strength::Seen);
        }
    }

    fn visit_refusal(&mut self, index: u32, event: &Event) {
        let channel = self.channels.entry(event.object).or_default();
        let last_receive = channel.receives.last().copied();
        match (event.kind, event.mode) {
            (Kind::Disconnected, Mode::Send) => {
                let source = channel.receiver_end;
                self.edge(index, source, Strength::Must);
            }
            (Kind::Disconnected, _) => {
                let mut ends: Vec<u32> = channel.sender_ends.values().copied().collect();
                ends.sort_unstable();
                for end in ends {
                    self.edge(index, Some(end), Strength::Must);
                }
                self.edge(index, last_receive, Strength::Seen);
            }
            (_, Mode::Send) => {
                let source = channel.last_send;
                self.edge(index, source, Strength::Seen);
            }
            _ => self.edge(index, last_receive, Strength::Seen),
        }
    }

    /// An atomic value was read that another thread wrote after its event number `arg`.
    fn visit_atomic(&mut self, index: u32, event: &Event, strength: Strength) {
        let execution = self.execution;
        if execution.test_harness && execution.thread(event.thread).number == 1 {
            // It is libtest that looks for its tests' ends: what it sees orders nothing between tests.
            return;
        }
        let named = execution.index_of(event.arg).map(|index| execution.events[index as usize].thread);
        match named.or_else(|| execution.memory.thread_of(event.arg)) {
            Some(writer) => self.edge(index, execution.last_of(writer, event.arg), strength),
            // It was a definition, which is not kept: the writer may be anybody.
            None => {
                let process = execution.thread(event.thread).process;
                for other in execution.thread_ids().filter(|&id| execution.thread(id).process == process) {
                    self.edge(index, execution.last_of(other, event.arg), strength);
                }
            }
        }
    }

    fn visit_wait(&mut self, index: u32, event: &Event) {
        match event.kind {
            Kind::WaitBegin => {
                self.waiting_since.insert(event.thread, index);
            }
            Kind::WaitEnd if event.flags.has(Flags::TIMED_OUT) => {}
            Kind::WaitEnd => {
                let since = self.waiting_since.get(&event.thread).copied().unwrap_or(0);
                let notify = notify_of(self.execution, event)
                    .or_else(|| self.notified.get(&event.object).copied().filter(|&notify| notify > since));
                self.edge(index, notify, Strength::Must);
            }
            _ => {
                self.notified.insert(event.object, index);
            }
        }
    }

    fn visit_lock(&mut self, index: u32, event: &Event) {
        if matches!(event.kind, Kind::Read | Kind::Write) {
            if !self.announced.contains(&index) {
                self.edge(index, self.announced_write.get(&event.object).copied(), Strength::Must);
            } else if event.kind == Kind::Write {
                self.announced_write.insert(event.object, index);
            }
        }
        match event.kind {
            Kind::Read => self.edge(index, self.written.get(&event.object).copied(), Strength::Seen),
            Kind::Write => {
                let earlier = self.written.insert(event.object, index);
                self.edge(index, earlier, Strength::Seen);
            }
            Kind::GiveUp => self.edge(index, self.acquired.get(&event.object).copied(), Strength::Seen),
            Kind::Acquire if event.mode == Mode::Permit => {
                let semaphore = self.semaphores.entry(event.object).or_default();
                semaphore.taken += 1;
                let needed = usize::try_from(semaphore.taken.saturating_sub(semaphore.initial)).unwrap_or(0);
                let source = needed.checked_sub(1).and_then(|last| semaphore.given.get(last).copied());
                self.edge(index, source, Strength::Seen);
            }
            Kind::Acquire => {
                self.acquired.insert(event.object, index);
            }
            Kind::Release if event.mode == Mode::Permit => {
                let semaphore = self.semaphores.entry(event.object).or_default();
                let earlier = semaphore.given.last().copied();
                semaphore.given.push(index);
                self.edge(index, earlier, Strength::Seen);
            }
            _ => {}
        }
    }
}

/// Accesses to what a lock protects, in sections that are the last of their thread before a notify.
fn announced(execution: &Execution) -> HashSet<u32> {
    let mut announced = HashSet::new();
    let mut accesses: HashMap<ThreadId, Vec<u32>> = HashMap::new();
    for (index, event) in (0_u32..).zip(&execution.events) {
        match event.kind {
            Kind::Acquire => {
                if let Some(own) = accesses.get_mut(&event.thread) {
                    own.clear();
                }
            }
            Kind::Read | Kind::Write => accesses.entry(event.thread).or_default().push(index),
            Kind::NotifyOne | Kind::NotifyAll => {
                announced.extend(accesses.remove(&event.thread).into_iter().flatten());
            }
            _ => {}
        }
    }
    announced
}

/// The notify that ended this wait, if the recorder knew it.
#[must_use]
pub fn notify_of(execution: &Execution, wait_end: &Event) -> Option<u32> {
    if wait_end.arg == 0 {
        return None;
    }
    let index = execution.index_of(wait_end.arg)?;
    let notify = &execution.events[index as usize];
    let is_notify = matches!(notify.kind, Kind::NotifyOne | Kind::NotifyAll);
    (is_notify && notify.object == wait_end.object).then_some(index)
}
