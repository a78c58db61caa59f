//! What was done under locks that processes share, where the memory layer saw it.
//!
//! A lock of C does not know what it protects, so that whoever takes one is recorded as writing at once. Under
//! one that processes share the accesses to shared memory are recorded as well, and say it better: the first
//! read and the first write take the place of that remark, where they were made. A section in which there is
//! no such access keeps the remark, for it protects something that is not known.
//!
//! Invariant: nothing is changed after a process's accesses became too many to be recorded all.

use std::collections::{BTreeMap, HashMap};

use snag_trace::memory::AccessKind;
use snag_trace::{Flags, Kind, Mode, ObjectKind};

use crate::model::execution::{Event, Execution, ObjectId, Site, SiteId, ThreadId};
use crate::model::memory::Shared;
use crate::model::sections::{Section, Sections};

/// Puts the accesses in. Events must be sorted and may not be indexed yet.
pub(super) fn refine(execution: &mut Execution) {
    let is_shared = |lock: ObjectId| {
        let object = &execution.objects[lock.at()];
        let is_lock = matches!(object.kind, Some(ObjectKind::PthreadMutex | ObjectKind::PthreadRwLock));
        is_lock && object.shared.is_some()
    };
    if execution.memory.shared.is_empty()
        || !(0..execution.objects.len()).any(|at| is_shared(ObjectId(at as u32)))
    {
        return;
    }
    let mut of_thread: HashMap<ThreadId, Vec<&Shared>> = HashMap::new();
    for access in &execution.memory.shared {
        of_thread.entry(ThreadId(access.access.thread)).or_default().push(access);
    }
    let sections = Sections::of(execution);
    let mut found = Vec::new();
    for section in sections.all().iter().filter(|section| is_shared(section.lock)) {
        let own = of_thread.get(&section.thread).map_or(&[][..], Vec::as_slice);
        if let Some(remark) = remark_of(execution, section) {
            let uses = uses(execution, section, own);
            if !uses.is_empty() {
                found.push((remark, section.lock, uses));
            }
        }
    }
    let found: Vec<_> = found
        .into_iter()
        .map(|(remark, lock, uses)| {
            let uses: Vec<_> = uses.into_iter().map(|(kind, access)| (kind, access.clone())).collect();
            (remark, lock, uses)
        })
        .collect();
    let mut sites = Sites::default();
    let mut new = Vec::new();
    for (remark, lock, uses) in found {
        for (kind, access) in uses {
            let site = sites.of(execution, &access);
            new.push(Event {
                seq: access.seq,
                arg: 0,
                thread: ThreadId(access.access.thread),
                object: lock,
                site,
                kind,
                mode: Mode::None,
                flags: Flags::NONE,
            });
        }
        execution.events[remark as usize].kind = Kind::Owner;
    }
    execution.events.retain(|event| event.kind != Kind::Owner);
    execution.events.extend(new);
    execution.events.sort_by_key(|event| event.seq);
}

/// The remark that the lock's new holder made when it had taken it: its next event.
fn remark_of(execution: &Execution, section: &Section) -> Option<u32> {
    let begin = &execution.events[section.begin as usize];
    let at = execution.events.binary_search_by_key(&(begin.seq + 1), |event| event.seq).ok()?;
    let event = &execution.events[at];
    let is_it = event.object == section.lock
        && event.thread == section.thread
        && matches!(event.kind, Kind::Read | Kind::Write);
    is_it.then_some(at as u32)
}

/// The first read and the first write of shared memory in a section; of one access that does both, both.
fn uses<'a>(execution: &Execution, section: &Section, own: &[&'a Shared]) -> Vec<(Kind, &'a Shared)> {
    let seq = |event: u32| execution.events[event as usize].seq;
    let (from, to) = (seq(section.begin), section.end.map_or(u64::MAX, seq));
    let process = execution.thread(section.thread).process;
    let until = execution.processes[process as usize].definitions.shared_until.unwrap_or(u64::MAX);
    if to > until {
        return Vec::new();
    }
    let within =
        own.partition_point(|access| access.seq < from)..own.partition_point(|access| access.seq < to);
    let mut uses: Vec<(Kind, &Shared)> = Vec::new();
    for &access in &own[within] {
        let kinds: &[Kind] = match access.access.kind {
            AccessKind::Read | AccessKind::AtomicLoad | AccessKind::VolatileRead => &[Kind::Read],
            _ => &[Kind::Write],
        };
        for &kind in kinds {
            let is_new = uses.iter().all(|(known, _)| *known != kind);
            if is_new {
                uses.push((kind, access));
            }
        }
    }
    uses
}

/// Places of accesses, as sites of their processes.
#[derive(Default)]
struct Sites(BTreeMap<(u32, Vec<u64>), SiteId>);

impl Sites {
    fn of(&mut self, execution: &mut Execution, access: &Shared) -> SiteId {
        let key = (access.process, access.access.stack.clone());
        if let Some(&known) = self.0.get(&key) {
            return known;
        }
        let definitions = &mut execution.processes[access.process as usize].definitions;
        let number = definitions.sites.keys().next_back().copied().unwrap_or(0).saturating_add(1);
        definitions.sites.insert(number, snag_trace::Site::default());
        definitions.code_sites.insert(number, access.access.stack.clone());
        execution.sites.push(Site { process: access.process, number });
        let site = SiteId(u32::try_from(execution.sites.len() - 1).expect("numbers of 32 bits each"));
        self.0.insert(key, site);
        site
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::family_script::{Family, MUTEX, PRIVATE};

    fn told(execution: &Execution) -> Vec<(Kind, u64)> {
        let is_told = |event: &&Event| matches!(event.kind, Kind::Read | Kind::Write);
        execution.events.iter().filter(is_told).map(|event| (event.kind, event.seq)).collect()
    }

    #[test]
    fn accesses_take_the_place_of_what_the_lock_says() {
        let mut family = Family::of(2);
        let read = family.locked(1, |family| family.read(1));
        let write = family.locked(1, |family| family.write(1));
        assert_eq!(told(&family.load()), [(Kind::Read, read), (Kind::Write, write)]);
    }

    #[test]
    fn a_section_without_accesses_keeps_what_its_lock_says_and_so_does_a_private_lock() {
        let mut family = Family::of(2);
        family.locked(1, |_| 0);
        family.event(1, Kind::Acquire, PRIVATE, 0);
        let remark = family.event(1, Kind::Write, PRIVATE, 0);
        family.write(1);
        family.event(1, Kind::Release, PRIVATE, 0);
        let told = told(&family.load());
        assert_eq!((told.len(), told[1]), (2, (Kind::Write, remark)));
    }

    #[test]
    fn nothing_is_put_in_once_accesses_are_left_out() {
        let mut family = Family::of(2);
        let read = family.locked(1, |family| family.read(1));
        family.but(1, |trace| trace.shared_until = Some(1));
        let told = told(&family.load());
        assert!(told.len() == 1 && told[0].0 == Kind::Write && told[0].1 < read);
    }

    #[test]
    fn a_shared_object_is_one_and_a_private_one_is_each_processs_own() {
        let mut family = Family::of(3);
        for process in [1, 2] {
            family.locked(process, |_| 0);
            family.event(process, Kind::Acquire, PRIVATE, 0);
        }
        let execution = family.load();
        let acquired = |shared: bool| -> Vec<ObjectId> {
            let of_kind = execution.events.iter().filter(|event| event.kind == Kind::Acquire);
            let objects = of_kind.map(|event| event.object);
            objects.filter(|object| execution.objects[object.at()].shared.is_some() == shared).collect()
        };
        assert_eq!(acquired(true)[0], acquired(true)[1]);
        assert_eq!(execution.objects[acquired(true)[0].at()].number, MUTEX);
        let own = acquired(false);
        assert_ne!(own[0], own[1]);
        let copied = own.iter().map(|object| execution.objects[object.at()].copy_of);
        let copied: Vec<_> = copied.collect();
        assert!(copied[0] == copied[1] && !copied[0].is_none());
    }
}
