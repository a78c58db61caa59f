//! Who waits for whom: the wait-for graph of one process, kept up to date event by event.
//!
//! Source: Coffman, Elphick and Shoshani, "System Deadlocks", Computing Surveys 1971; cycles are the
//! strongly connected components of a petgraph.
//!
//! Invariants:
//! * Only each thread's own order matters to [`WaitState::apply`]: threads may arrive interleaved in
//!   any way. So a thread's state comes from its own events, and what one thread does to another's
//!   lock (a `Release` by somebody else) is settled by sequence numbers.
//! * A timed wait blocks nobody for ever and is never an edge.
//! * Of holds that exclude each other only the newest counts: the release of the older one was not
//!   seen (a gap in the recording).
//!
//! Misses: whoever could end a wait on a condvar, channel, barrier, semaphore or park is not known,
//! so these waits have no edges; they count only where *every* thread waits.

use std::collections::BTreeMap;

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;
use snag_trace::{Event, Flags, Kind, Mode};

use crate::model::memory::is_remark;
use crate::model::modes::{conflict, is_lock};

/// Something a thread holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The lock, semaphore or once.
    pub object: u32,
    /// How it is held; [`Mode::Once`] while the initialiser runs.
    pub mode: Mode,
    /// When it was acquired.
    pub seq: u64,
    /// Where it was acquired.
    pub site: u32,
}

/// What a thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// What kind of wait it is; of a condvar [`Mode::Wait`].
    pub mode: Mode,
    /// The object, 0 for joins and parks.
    pub object: u32,
    /// Whether the wait ends by itself.
    pub timed: bool,
    /// When the wait began.
    pub seq: u64,
    /// As in the event: the thread of a join, the lock of a condvar's wait.
    pub arg: u64,
    /// Where it waits.
    pub site: u32,
}

#[derive(Clone, Debug, Default)]
struct ThreadState {
    ended: bool,
    held: Vec<Hold>,
    blocked: Option<Blocked>,
}

/// At most so many holds of one object by one thread are kept, and so many releases by others: a lock
/// that is always released by another thread must not fill the memory.
const KEPT: usize = 64;

/// The waits and holds of one process.
#[derive(Clone, Debug, Default)]
pub struct WaitState {
    threads: BTreeMap<u32, ThreadState>,
    /// Sequence numbers, ascending, of releases by threads that did not hold the object.
    foreign: BTreeMap<u32, Vec<u64>>,
}

impl WaitState {
    /// Nobody waits.
    #[must_use]
    pub fn new() -> WaitState {
        WaitState::default()
    }

    /// Takes in the next event of its thread.
    pub fn apply(&mut self, event: &Event) {
        let says_nothing = matches!(
            event.kind,
            Kind::Owner
                | Kind::ProcessInfo
                | Kind::SiteDef
                | Kind::CodeSite
                | Kind::SynchronizesWith
                | Kind::ReadsFrom
        );
        if says_nothing || is_remark(event.kind) {
            return;
        }
        let state = self.threads.entry(event.thread).or_default();
        if !keeps_waiting(state.blocked, event) {
            state.blocked = None;
        }
        match event.kind {
            Kind::Request => state.blocked = Some(blocked(event, event.mode)),
            Kind::WaitBegin => state.blocked = Some(blocked(event, Mode::Wait)),
            Kind::BarrierArrive => state.blocked = Some(blocked(event, Mode::Barrier)),
            Kind::Acquire => self.acquire(event, event.mode),
            Kind::OnceBegin => self.acquire(event, Mode::Once),
            Kind::Release | Kind::OnceEnd => self.release(event),
            Kind::Convert => {
                if let Some(hold) = state.held.iter_mut().rev().find(|hold| hold.object == event.object) {
                    hold.mode = event.mode;
                }
            }
            Kind::ThreadEnd => state.ended = true,
            Kind::ObjectEnd => self.forget(event),
            Kind::Spawn => {
                self.threads.entry(u32::try_from(event.arg).unwrap_or(0)).or_default();
            }
            _ => {}
        }
    }

    fn acquire(&mut self, event: &Event, mode: Mode) {
        let held = &mut self.threads.entry(event.thread).or_default().held;
        let of_object = |hold: &&Hold| hold.object == event.object;
        if held.len() >= KEPT && held.iter().filter(of_object).count() >= KEPT {
            let oldest = held.iter().position(|hold| hold.object == event.object);
            held.remove(oldest.expect("it was counted"));
        }
        held.push(Hold { object: event.object, mode, seq: event.seq, site: event.site });
    }

    /// The object is gone, or out of sight: nobody holds it or waits for it from here on.
    fn forget(&mut self, event: &Event) {
        for state in self.threads.values_mut() {
            state.held.retain(|hold| hold.object != event.object || hold.seq > event.seq);
            let gone = |wait: &Blocked| wait.object == event.object && wait.seq < event.seq;
            state.blocked = state.blocked.filter(|wait| !gone(wait));
        }
        self.foreign.remove(&event.object);
    }

    fn release(&mut self, event: &Event) {
        let mode = if event.kind == Kind::OnceEnd { Mode::Once } else { event.mode };
        let held = &mut self.threads.entry(event.thread).or_default().held;
        let same = |hold: &Hold| hold.object == event.object;
        let own = (held.iter().rposition(|hold| same(hold) && hold.mode == mode))
            .or_else(|| held.iter().rposition(same));
        if let Some(position) = own {
            held.remove(position);
            return;
        }
        let releases = self.foreign.entry(event.object).or_default();
        releases.insert(releases.partition_point(|&seq| seq < event.seq), event.seq);
        if releases.len() > KEPT {
            releases.remove(0);
        }
    }

    /// Threads that were seen or spawned and have not ended, in order.
    #[must_use]
    pub fn live_threads(&self) -> Vec<u32> {
        self.threads.iter().filter(|(_, state)| !state.ended).map(|(&thread, _)| thread).collect()
    }

    /// What this thread waits for.
    #[must_use]
    pub fn blocked(&self, thread: u32) -> Option<&Blocked> {
        self.threads.get(&thread).filter(|state| !state.ended)?.blocked.as_ref()
    }

    /// What this thread holds, in the order in which it was acquired.
    #[must_use]
    pub fn held(&self, thread: u32) -> Vec<Hold> {
        let own = self.threads.get(&thread).map_or(&[][..], |state| &state.held);
        let still = |hold: &Hold| self.holders(hold.object).contains(&(thread, *hold));
        own.iter().copied().filter(still).collect()
    }

    /// Who holds `object`, oldest hold first, with holds that another thread ended and holds whose
    /// end was missed left out; ended threads included.
    #[must_use]
    pub fn holders(&self, object: u32) -> Vec<(u32, Hold)> {
        let mut holds: Vec<(u32, Hold)> = self
            .threads
            .iter()
            .flat_map(|(&thread, state)| state.held.iter().map(move |&hold| (thread, hold)))
            .filter(|(_, hold)| hold.object == object)
            .collect();
        holds.sort_by_key(|(_, hold)| hold.seq);
        for &release in self.foreign.get(&object).into_iter().flatten() {
            // Of permits, which are all alike, the oldest is the one given back.
            let older = |(_, hold): &(u32, Hold)| hold.seq < release;
            let ended = match holds.first() {
                Some((_, hold)) if hold.mode == Mode::Permit => holds.iter().position(older),
                _ => holds.iter().rposition(older),
            };
            if let Some(ended) = ended {
                holds.remove(ended);
            }
        }
        let mut kept: Vec<(u32, Hold)> = Vec::new();
        for (thread, hold) in holds.into_iter().rev() {
            let outlived = |(other, newer): &(u32, Hold)| *other != thread && conflict(hold.mode, newer.mode);
            if !kept.iter().any(outlived) {
                kept.push((thread, hold));
            }
        }
        kept.reverse();
        kept
    }

    /// The threads that must all go on before `thread` can, in order; empty if it does not wait, if
    /// its wait is timed, or if nobody in particular can end it. May contain `thread` itself.
    #[must_use]
    pub fn waits_for(&self, thread: u32) -> Vec<u32> {
        let Some(blocked) = self.blocked(thread).filter(|blocked| !blocked.timed) else { return Vec::new() };
        let mut owners = match blocked.mode {
            Mode::Join => {
                let joined = u32::try_from(blocked.arg).unwrap_or(0);
                let lives = self.threads.get(&joined).is_some_and(|state| !state.ended);
                if lives { vec![joined] } else { Vec::new() }
            }
            mode if is_lock(mode) || mode == Mode::Once => self.owners(thread, *blocked),
            _ => Vec::new(),
        };
        owners.sort_unstable();
        owners.dedup();
        owners
    }

    /// Threads whose hold keeps `thread` out; for a reader that no holder keeps out, the writers
    /// that wait before it.
    fn owners(&self, thread: u32, blocked: Blocked) -> Vec<u32> {
        let holders = self.holders(blocked.object);
        // A thread that upgrades its own hold waits for the readers, not for itself.
        let upgrades = |holder: u32, hold: &Hold| holder == thread && hold.mode == Mode::Upgradable;
        let excluding: Vec<u32> = (holders.iter())
            .filter(|(holder, hold)| conflict(hold.mode, blocked.mode) && !upgrades(*holder, hold))
            .map(|&(holder, _)| holder)
            .collect();
        if !excluding.is_empty() || blocked.mode != Mode::Shared || holders.is_empty() {
            return excluding;
        }
        let waits_to_write = |other: &u32| {
            self.blocked(*other).is_some_and(|wait| {
                wait.object == blocked.object && wait.mode == Mode::Exclusive && !wait.timed
            })
        };
        self.threads.keys().copied().filter(|other| *other != thread && waits_to_write(other)).collect()
    }

    /// Groups of threads of which none can ever go on, because each waits for another of its group
    /// (or for itself). Groups and their members are in order.
    #[must_use]
    pub fn deadlocked(&self) -> Vec<Vec<u32>> {
        let mut graph: DiGraphMap<u32, ()> = DiGraphMap::new();
        for &thread in self.threads.keys() {
            for owner in self.waits_for(thread) {
                graph.add_edge(thread, owner, ());
            }
        }
        let mut groups: Vec<Vec<u32>> = tarjan_scc(&graph)
            .into_iter()
            .filter(|group| group.len() > 1 || graph.contains_edge(group[0], group[0]))
            .collect();
        for group in &mut groups {
            group.sort_unstable();
        }
        groups.sort();
        groups
    }
}

/// Whether a thread that waits still does so after this event of its own: the lock that a condvar's
/// wait gives up is released after the wait was announced.
fn keeps_waiting(blocked: Option<Blocked>, event: &Event) -> bool {
    match event.kind {
        Kind::Release => {
            blocked.is_some_and(|wait| wait.mode == Mode::Wait && wait.arg == u64::from(event.object))
        }
        // About to write: the wait for room comes then.
        Kind::StreamWrite => {
            blocked.is_some_and(|wait| wait.mode == Mode::Room && wait.object == event.object)
        }
        Kind::ObjectNew | Kind::ThreadName => true,
        // A lock that others than us have made lets threads run before it sleeps.
        Kind::GiveUp => event.mode == Mode::None,
        _ => false,
    }
}

fn blocked(event: &Event, mode: Mode) -> Blocked {
    Blocked {
        mode,
        object: event.object,
        timed: event.flags.has(Flags::TIMED),
        seq: event.seq,
        arg: event.arg,
        site: event.site,
    }
}

#[cfg(test)]
mod tests {
    use snag_trace::{Event, Flags, Kind, Mode};

    use super::WaitState;

    const A: u32 = 1;
    const B: u32 = 2;

    fn event(seq: u64, thread: u32, kind: Kind, mode: Mode, object: u32, arg: u64) -> Event {
        Event { seq, thread, kind, mode, flags: Flags::NONE, object, site: 0, arg }
    }

    fn acquire(seq: u64, thread: u32, object: u32) -> Event {
        event(seq, thread, Kind::Acquire, Mode::Exclusive, object, 0)
    }

    fn release(seq: u64, thread: u32, object: u32) -> Event {
        event(seq, thread, Kind::Release, Mode::Exclusive, object, 0)
    }

    fn request(seq: u64, thread: u32, mode: Mode, object: u32) -> Event {
        event(seq, thread, Kind::Request, mode, object, 0)
    }

    fn join(seq: u64, thread: u32, joined: u32) -> Event {
        event(seq, thread, Kind::Request, Mode::Join, 0, u64::from(joined))
    }

    fn timed(mut event: Event) -> Event {
        event.flags = Flags::TIMED;
        event
    }

    fn state(events: &[Event]) -> WaitState {
        let mut state = WaitState::new();
        for event in events {
            state.apply(event);
        }
        state
    }

    fn abba() -> [Event; 4] {
        [
            acquire(1, 1, A),
            acquire(2, 2, B),
            request(3, 1, Mode::Exclusive, B),
            request(4, 2, Mode::Exclusive, A),
        ]
    }

    #[test]
    fn what_the_memory_layer_says_of_a_waiting_thread_does_not_end_its_wait() {
        let mut state = WaitState::new();
        state.apply(&request(1, A, Mode::Exclusive, 7));
        for (seq, kind) in (2..).zip([
            Kind::SynchronizesWith,
            Kind::ReadsFrom,
            Kind::DataRace,
            Kind::Conflict,
            Kind::AtomicUpdate,
            Kind::MemoryCounts,
            Kind::MemoryWrite,
        ]) {
            state.apply(&event(seq, A, kind, Mode::None, 0, 1));
            assert!(state.blocked(A).is_some(), "{kind:?}");
        }
    }

    #[test]
    fn two_threads_that_want_each_others_lock_are_deadlocked() {
        assert_eq!(state(&abba()).deadlocked(), [[1, 2]]);
        assert!(state(&abba()[..3]).deadlocked().is_empty());
    }

    #[test]
    fn a_thread_that_lets_others_run_before_it_sleeps_still_waits() {
        let [a1, b2, a3, b4] = abba();
        let pauses = |seq, thread| event(seq, thread, Kind::GiveUp, Mode::None, 0, 0);
        assert_eq!(state(&[a1, b2, a3, pauses(10, 1), b4, pauses(11, 2)]).deadlocked(), [[1, 2]]);
    }

    #[test]
    fn the_order_in_which_threads_are_read_does_not_matter() {
        let [a1, b2, a3, b4] = abba();
        assert_eq!(state(&[b2, b4, a1, a3]).deadlocked(), [[1, 2]]);
    }

    #[test]
    fn a_timed_wait_is_no_edge() {
        let [a1, b2, a3, b4] = abba();
        let state = state(&[a1, b2, a3, timed(b4)]);
        assert!(state.deadlocked().is_empty());
    }

    #[test]
    fn a_thread_that_wants_its_own_lock_is_deadlocked_alone_while_others_live() {
        let state = state(&[acquire(1, 1, A), acquire(2, 2, B), request(3, 1, Mode::Exclusive, A)]);
        assert_eq!(state.deadlocked(), [[1]]);
    }

    #[test]
    fn joining_a_thread_that_wants_the_joiners_lock_is_a_cycle() {
        let events = [acquire(1, 1, A), request(2, 2, Mode::Exclusive, A), join(3, 1, 2)];
        assert_eq!(state(&events).deadlocked(), [[1, 2]]);
        let ended = event(4, 2, Kind::ThreadEnd, Mode::None, 0, 0);
        assert!(state(&[join(3, 1, 2), ended]).waits_for(1).is_empty());
    }

    #[test]
    fn a_reader_waits_for_the_writer_that_waits_for_its_first_read() {
        let read = event(1, 1, Kind::Acquire, Mode::Shared, A, 0);
        let events = [read, request(2, 2, Mode::Exclusive, A), request(3, 1, Mode::Shared, A)];
        assert_eq!(state(&events).deadlocked(), [[1, 2]]);
    }

    #[test]
    fn an_upgrade_waits_for_other_readers_and_not_for_itself() {
        let upgradable = event(1, 1, Kind::Acquire, Mode::Upgradable, A, 0);
        let read = event(2, 2, Kind::Acquire, Mode::Shared, A, 0);
        let upgrade = request(3, 1, Mode::Exclusive, A);
        assert_eq!(state(&[upgradable, read, upgrade]).waits_for(1), [2]);
        assert!(state(&[upgradable, upgrade]).deadlocked().is_empty());
    }

    #[test]
    fn a_lock_released_by_another_thread_has_no_holder_whatever_is_read_first() {
        let events = [acquire(1, 1, A), release(2, 1, A), acquire(3, 1, A), release(4, 2, A)];
        for order in [[0, 1, 2, 3], [3, 0, 1, 2], [0, 3, 1, 2], [0, 1, 3, 2]] {
            let state = state(&order.map(|index: usize| events[index]));
            assert!(state.holders(A).is_empty(), "{order:?}");
        }
    }

    #[test]
    fn a_later_exclusive_hold_ends_one_whose_release_was_missed() {
        let state = state(&[acquire(1, 1, A), acquire(2, 2, A)]);
        assert_eq!(state.holders(A).iter().map(|(thread, _)| *thread).collect::<Vec<_>>(), [2]);
        assert!(state.held(1).is_empty());
    }

    #[test]
    fn a_condvar_wait_gives_up_its_lock_and_goes_on_waiting() {
        let events =
            [acquire(1, 1, A), event(2, 1, Kind::WaitBegin, Mode::None, 9, u64::from(A)), release(3, 1, A)];
        let mut state = state(&events);
        assert_eq!(state.blocked(1).map(|blocked| (blocked.mode, blocked.object)), Some((Mode::Wait, 9)));
        assert!(state.held(1).is_empty());
        state.apply(&event(4, 1, Kind::WaitEnd, Mode::None, 9, 0));
        assert!(state.blocked(1).is_none());
    }

    #[test]
    fn nobody_holds_or_waits_for_an_object_that_has_ended() {
        let wants = event(2, 2, Kind::Request, Mode::Exclusive, A, 0);
        let mut state = state(&[acquire(1, 1, A), wants]);
        assert_eq!(state.waits_for(2), [1]);
        state.apply(&event(3, 3, Kind::ObjectEnd, Mode::None, A, 0));
        assert!(state.held(1).is_empty() && state.blocked(2).is_none());
    }

    #[test]
    fn an_initialiser_that_needs_its_own_once_waits_for_itself() {
        let begin = event(1, 1, Kind::OnceBegin, Mode::None, 5, 0);
        assert_eq!(state(&[begin, request(2, 1, Mode::Once, 5)]).deadlocked(), [[1]]);
    }

    #[test]
    fn a_thread_that_was_spawned_but_has_not_begun_lives() {
        let spawn = event(1, 1, Kind::Spawn, Mode::None, 0, 2);
        let end = event(3, 2, Kind::ThreadEnd, Mode::None, 0, 0);
        assert_eq!(state(&[spawn]).live_threads(), [1, 2]);
        assert_eq!(state(&[end, spawn]).live_threads(), [1]);
    }

    #[test]
    fn who_is_about_to_write_waits_for_room_until_it_has_written() {
        let write = |seq, kind| event(seq, 1, kind, Mode::None, A, 9);
        let waits = [request(1, 1, Mode::Room, A), write(2, Kind::StreamWrite)];
        assert!(state(&waits).blocked(1).is_some());
        assert!(state(&[waits[0], waits[1], write(3, Kind::StreamWritten)]).blocked(1).is_none());
    }

    #[test]
    fn a_lock_that_is_always_released_by_another_thread_does_not_fill_the_memory() {
        let mut state = WaitState::new();
        for round in 0..10_000 {
            state.apply(&acquire(round * 2 + 1, 1, A));
            state.apply(&release(round * 2 + 2, 2, A));
        }
        assert!(state.holders(A).is_empty());
        assert!(state.threads[&1].held.len() <= super::KEPT);
        assert!(state.foreign[&A].len() <= super::KEPT);
    }
}
