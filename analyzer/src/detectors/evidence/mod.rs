//! Puts a finding together: places, labels, held locks and witness steps, in the words of
//! [`Names`].
//!
//! Invariant: whatever is not known (a place, a name) is left out or described, never guessed.

pub mod calls;
pub mod family;
pub mod memory;
mod steps;

use std::collections::BTreeSet;

use snag_trace::process::How;
use snag_trace::{Kind, Mode, ObjectKind};

use crate::finding::{Certainty, Finding, Held, Location, ObjectRef, Place, ProcessRef, Step, ThreadRef};
use crate::model::execution::{Execution, ObjectId, SiteId, ThreadId};
use crate::model::names::Names;
use crate::model::sections::Section;
use crate::model::wait_for::{Blocked, Hold};

/// A finding under construction.
pub struct Case<'a> {
    execution: &'a Execution,
    names: &'a dyn Names,
    threads: Vec<(ThreadId, ThreadRef)>,
    objects: Vec<(ObjectId, ObjectRef)>,
    locations: Vec<Location>,
    witness: Vec<Step>,
    notes: Vec<String>,
    /// Whether its threads are of several processes.
    is_of_several: bool,
}

impl<'a> Case<'a> {
    /// A case of these threads and objects, in the order in which it speaks of them.
    pub fn new(
        execution: &'a Execution,
        names: &'a dyn Names,
        threads: &[ThreadId],
        objects: &[ObjectId],
    ) -> Case<'a> {
        let mut case = Case {
            execution,
            names,
            threads: Vec::new(),
            objects: Vec::new(),
            locations: Vec::new(),
            witness: Vec::new(),
            notes: Vec::new(),
            is_of_several: threads
                .iter()
                .any(|thread| execution.thread(*thread).process != execution.thread(threads[0]).process),
        };
        for &thread in threads {
            case.index_of(thread);
        }
        let mut distinct: Vec<ObjectId> = Vec::new();
        for &object in objects {
            if !object.is_none() && !distinct.contains(&object) {
                distinct.push(object);
            }
        }
        let numbers: Vec<(u32, u32)> = distinct.iter().map(|&object| case.number(object)).collect();
        case.objects = distinct.into_iter().zip(names.objects(&numbers)).collect();
        case
    }

    fn number(&self, object: ObjectId) -> (u32, u32) {
        let object = self.execution.objects[object.at()];
        (object.process, object.number)
    }

    /// The thread's index in the finding, which speaks of it from now on.
    fn index_of(&mut self, thread: ThreadId) -> usize {
        if let Some(index) = self.threads.iter().position(|(known, _)| *known == thread) {
            return index;
        }
        self.threads.push((thread, self.thread_ref(thread)));
        self.threads.len() - 1
    }

    fn thread_ref(&self, thread: ThreadId) -> ThreadRef {
        let known = self.execution.thread(thread);
        self.names.thread(known.process, known.number)
    }

    /// The thread's name in quotes, and its process where the case is of several.
    #[must_use]
    pub fn thread(&self, thread: ThreadId) -> String {
        if self.is_of_several {
            self.thread_of_process(thread)
        } else {
            format!("`{}`", self.thread_ref(thread).name)
        }
    }

    /// The thread's name in quotes, and its process.
    #[must_use]
    pub fn thread_of_process(&self, thread: ThreadId) -> String {
        let process = process_name(self.execution, self.execution.thread(thread).process);
        format!("`{}` of {process}", self.thread_ref(thread).name)
    }

    /// The names of several threads or objects as one phrase: `a`, `b` and `c`.
    #[must_use]
    pub fn list(names: &[String]) -> String {
        match names {
            [] => String::new(),
            [one] => one.clone(),
            [all @ .., last] => format!("{} and {last}", all.join(", ")),
        }
    }

    /// The threads' names as one phrase.
    #[must_use]
    pub fn threads(&self, threads: &[ThreadId]) -> String {
        Case::list(&threads.iter().map(|&thread| self.thread(thread)).collect::<Vec<_>>())
    }

    fn plain(&self, object: ObjectId) -> String {
        let known = self.objects.iter().find(|(known, _)| *known == object);
        known.map_or_else(
            || {
                let (process, number) = self.number(object);
                self.names.object(process, number).name
            },
            |(_, known)| known.name.clone(),
        )
    }

    /// The object's name in quotes.
    #[must_use]
    pub fn object(&self, object: ObjectId) -> String {
        format!("`{}`", self.plain(object))
    }

    /// The place, if it is known.
    #[must_use]
    pub fn place(&self, site: SiteId) -> Option<Place> {
        place(self.execution, self.names, site)
    }

    /// What a thread does that gets this object in this mode: `lock`, `read-lock`…
    #[must_use]
    pub fn verb(&self, object: ObjectId, mode: Mode) -> &'static str {
        let reads_and_writes = matches!(
            self.execution.kind(object),
            Some(ObjectKind::RwLock | ObjectKind::LockApiRwLock | ObjectKind::PthreadRwLock)
        );
        match mode {
            Mode::Once => "initialise",
            Mode::Permit => "take a permit of",
            Mode::Shared => "read-lock",
            Mode::Upgradable => "read-lock (upgradably)",
            _ if reads_and_writes => "write-lock",
            _ => "lock",
        }
    }

    /// Adds a place of the finding, unless it is not known or already there.
    pub fn at(&mut self, role: &str, thread: ThreadId, site: SiteId, label: String, held: &[Hold]) {
        let Some(place) = self.place(site) else { return };
        let (held, thread) = (self.held(held), self.index_of(thread));
        let role = role.to_owned();
        let (access, package, stack) = (None, None, Vec::new());
        self.add(Location { role, place, thread, label, held, access, package, stack });
    }

    fn add(&mut self, location: Location) {
        if !self.locations.contains(&location) {
            self.locations.push(location);
        }
    }

    fn held(&self, holds: &[Hold]) -> Vec<Held> {
        let held = |hold: &Hold| Held {
            name: self.plain(ObjectId(hold.object)),
            acquired: self.place(SiteId(hold.site)),
        };
        holds.iter().map(held).collect()
    }

    /// Adds a step of the witness.
    pub fn step(&mut self, thread: ThreadId, action: String, site: SiteId) {
        let place = self.place(site);
        let thread = self.index_of(thread);
        self.witness.push(Step { thread, action, place });
    }

    /// The dependencies in whose code the finding's places are.
    pub fn packages(&self) -> impl Iterator<Item = &str> {
        self.locations.iter().filter_map(|location| location.package.as_deref())
    }

    /// Adds a remark.
    pub fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// The processes of its threads, if the program was more than one.
    fn processes(&self) -> Vec<ProcessRef> {
        if self.execution.processes.len() < 2 {
            return Vec::new();
        }
        let processes: BTreeSet<u32> =
            self.threads.iter().map(|(thread, _)| self.execution.thread(*thread).process).collect();
        processes.into_iter().map(|process| self.process_ref(process)).collect()
    }

    fn process_ref(&self, process: u32) -> ProcessRef {
        let known = &self.execution.processes[process as usize];
        let made_by = known.made_by.map(|event| &self.execution.events[event as usize]);
        let how = match (made_by.map(|event| event.kind), known.how) {
            (Some(Kind::Exec), _) => Some("exec"),
            (_, Some(How::Fork | How::Vfork)) => Some("forked"),
            (_, Some(How::Spawn)) => Some("spawned"),
            (_, None) => None,
        };
        let numbered = |process: u32| self.execution.earlier_processes + process;
        let command = known.definitions.command_line.iter().enumerate().map(|(at, word)| {
            let name = word.rsplit('/').next().filter(|_| at == 0);
            name.unwrap_or(word).to_owned()
        });
        ProcessRef {
            process: numbered(process),
            pid: known.definitions.pid,
            how: how.map(str::to_owned),
            parent: how.and(known.parent).map(numbered),
            place: made_by.and_then(|event| self.place(event.site)),
            command: command.collect::<Vec<_>>().join(" "),
        }
    }

    /// The finding.
    #[must_use]
    pub fn finding(self, rule: &str, certainty: Certainty, message: String, help: &str) -> Finding {
        Finding {
            rule: rule.to_owned(),
            certainty,
            message,
            help: help.to_owned(),
            count: 1,
            processes: self.processes(),
            threads: self.threads.into_iter().map(|(_, thread)| thread).collect(),
            objects: self.objects.into_iter().map(|(_, object)| object).collect(),
            locations: self.locations,
            witness: self.witness,
            notes: self.notes,
            schedule: None,
        }
    }
}

/// What a report calls a process.
#[must_use]
pub fn process_name(execution: &Execution, process: u32) -> String {
    format!("process {}", execution.earlier_processes + process)
}

/// The place, if it is known.
#[must_use]
pub fn place(execution: &Execution, names: &dyn Names, site: SiteId) -> Option<Place> {
    let known = execution.sites[site.at()];
    if site.is_none() { None } else { names.place(known.process, known.number) }
}

/// What a thread waits for, as a phrase: waits here to lock `accounts`.
#[must_use]
pub fn waits_to(case: &Case<'_>, wait: &Blocked) -> String {
    let object = ObjectId(wait.object);
    let name = case.object(object);
    match wait.mode {
        Mode::Exclusive | Mode::Shared | Mode::Upgradable | Mode::Permit => {
            format!("waits here to {} {name}", case.verb(object, wait.mode))
        }
        Mode::Wait => format!("waits here for a notify of {name}"),
        Mode::Receive => format!("waits here for a message in {name}"),
        Mode::Send => format!("waits here for room in {name}"),
        Mode::Barrier => format!("waits here for the others at {name}"),
        Mode::Once => format!("waits here for the initialisation of {name}"),
        Mode::Join => {
            let joined = ThreadId(u32::try_from(wait.arg).unwrap_or(0));
            format!("waits here for {} to end", case.thread(joined))
        }
        Mode::Data => format!("waits here for something in {name}"),
        Mode::Room => format!("waits here for room in {name}"),
        Mode::Process if wait.arg == 0 => "waits here for a child process to end".to_owned(),
        Mode::Process => format!("waits here for child process {} to end", wait.arg),
        Mode::Park => "is parked here".to_owned(),
        Mode::Sleep => "sleeps here".to_owned(),
        Mode::None => "waits here".to_owned(),
    }
}

/// What a thread held just before one of its events, outermost first.
#[must_use]
pub fn held_before(execution: &Execution, event: u32) -> Vec<Hold> {
    held_where(execution, execution.events[event as usize].thread, |section| {
        section.begin < event && section.end.map_or(section.open, |end| end >= event)
    })
}

/// What a thread held just after one of its events, outermost first.
#[must_use]
pub fn held_after(execution: &Execution, event: u32) -> Vec<Hold> {
    held_where(execution, execution.events[event as usize].thread, |section| {
        section.begin <= event && section.end.map_or(section.open, |end| end > event)
    })
}

fn held_where(execution: &Execution, thread: ThreadId, is_held: impl Fn(&Section) -> bool) -> Vec<Hold> {
    let hold = |section: &Section| {
        let begin = &execution.events[section.begin as usize];
        Hold { object: section.lock.0, mode: section.mode, seq: begin.seq, site: begin.site.0 }
    };
    execution.sections().of_thread(thread).filter(|section| is_held(section)).map(hold).collect()
}
