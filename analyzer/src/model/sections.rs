//! Critical sections: from where to where each lock was held, in which mode, by whom.
//!
//! A change of mode (`Convert`) ends one section and begins another at the same event. While a
//! once's initialiser runs it is held in [`Mode::Once`]. Permits of semaphores have no owner and no
//! section.
//!
//! Invariants:
//! * Sections are sorted by the event that begins them.
//! * A lock that one thread takes while another still holds it in an excluding mode was released
//!   where nothing was recorded: the older section ends without an event.

use std::collections::HashMap;

use snag_trace::{Kind, Mode};

use crate::model::execution::{Event, Execution, ObjectId, ThreadId};
use crate::model::modes::{conflict, is_lock};

/// One critical section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// The lock.
    pub lock: ObjectId,
    /// Who acquired it.
    pub thread: ThreadId,
    /// How it is held.
    pub mode: Mode,
    /// Index of the event that begins it.
    pub begin: u32,
    /// Index of the event that ends it, possibly another thread's; none if it was not seen.
    pub end: Option<u32>,
    /// Whether it was still held when the trace ended.
    pub open: bool,
}

/// All critical sections of an execution.
#[derive(Clone, Debug, Default)]
pub struct Sections {
    all: Vec<Section>,
    by_thread: HashMap<ThreadId, Vec<u32>>,
}

impl Sections {
    /// Finds all sections.
    #[must_use]
    pub fn of(execution: &Execution) -> Sections {
        let mut finder = Finder::default();
        for (index, event) in execution.events.iter().enumerate() {
            finder.visit(u32::try_from(index).expect("fewer events than u32::MAX"), event);
        }
        let mut by_thread: HashMap<ThreadId, Vec<u32>> = HashMap::new();
        for (number, section) in (0_u32..).zip(&finder.all) {
            by_thread.entry(section.thread).or_default().push(number);
        }
        Sections { all: finder.all, by_thread }
    }

    /// Those of one thread, in order of their beginnings.
    pub fn of_thread(&self, thread: ThreadId) -> impl Iterator<Item = &Section> {
        let own = self.by_thread.get(&thread).map_or(&[][..], Vec::as_slice);
        own.iter().map(|&number| &self.all[number as usize])
    }

    /// All of them, in order of their beginnings.
    #[must_use]
    pub fn all(&self) -> &[Section] {
        &self.all
    }

    /// Index of the section that this event begins.
    #[must_use]
    pub fn begun_by(&self, event: u32) -> Option<usize> {
        self.all.binary_search_by_key(&event, |section| section.begin).ok()
    }
}

#[derive(Default)]
struct Finder {
    all: Vec<Section>,
    /// Indices of the sections of each lock that have not ended.
    open: HashMap<ObjectId, Vec<u32>>,
}

impl Finder {
    fn visit(&mut self, index: u32, event: &Event) {
        match event.kind {
            Kind::Acquire if is_lock(event.mode) => self.begin(index, event, event.mode),
            Kind::OnceBegin => self.begin(index, event, Mode::Once),
            Kind::Release if is_lock(event.mode) => {
                self.end(index, event, event.mode);
            }
            Kind::OnceEnd => {
                self.end(index, event, Mode::Once);
            }
            Kind::Convert => {
                let holder = self.end(index, event, Mode::None).unwrap_or(event.thread);
                self.begin(index, &Event { thread: holder, ..*event }, event.mode);
            }
            Kind::ObjectEnd => self.forget(index, event),
            _ => {}
        }
    }

    fn begin(&mut self, index: u32, event: &Event, mode: Mode) {
        let open = self.open.entry(event.object).or_default();
        open.retain(|&other| {
            let section = &mut self.all[other as usize];
            let outlived = section.thread != event.thread && conflict(section.mode, mode);
            section.open = !outlived;
            !outlived
        });
        open.push(u32::try_from(self.all.len()).expect("fewer sections than events"));
        self.all.push(Section {
            lock: event.object,
            thread: event.thread,
            mode,
            begin: index,
            end: None,
            open: true,
        });
    }

    /// The lock is gone, or out of sight: it is not held any more.
    fn forget(&mut self, index: u32, event: &Event) {
        for section in self.open.remove(&event.object).unwrap_or_default() {
            let section = &mut self.all[section as usize];
            section.end = Some(index);
            section.open = false;
        }
    }

    /// Ends the newest section of this thread (rather in this mode), or else of another.
    fn end(&mut self, index: u32, event: &Event, mode: Mode) -> Option<ThreadId> {
        let open = self.open.get_mut(&event.object)?;
        let rank = |&section: &u32| {
            let section = &self.all[section as usize];
            (section.thread == event.thread, section.mode == mode, section.begin)
        };
        let position = (0..open.len()).max_by_key(|&position| rank(&open[position]))?;
        let section = &mut self.all[open.remove(position) as usize];
        section.end = Some(index);
        section.open = false;
        Some(section.thread)
    }
}

#[cfg(test)]
mod tests {
    use super::Sections;
    use crate::model::script::execution;
    use snag_trace::Mode;

    fn sections(script: &str) -> Vec<(u32, u32, Mode, Option<u32>, bool)> {
        let execution = execution(script);
        let line = |index: u32| execution.events[index as usize].site.0;
        let sections = Sections::of(&execution);
        let all = sections.all().iter();
        all.map(|section| {
            (section.lock.0, line(section.begin), section.mode, section.end.map(line), section.open)
        })
        .collect()
    }

    #[test]
    fn a_section_reaches_from_acquire_to_release() {
        let found = sections("1 lock m\n1 unlock m\n1 lock m");
        assert_eq!(found, [(1, 1, Mode::Exclusive, Some(2), false), (1, 3, Mode::Exclusive, None, true)]);
    }

    #[test]
    fn a_downgrade_ends_one_section_and_begins_another() {
        let found = sections("1 write rw\n1 downgrade rw\n2 read rw\n1 unlock rw");
        assert_eq!(found[0], (1, 1, Mode::Exclusive, Some(2), false));
        assert_eq!(found[1], (1, 2, Mode::Shared, Some(4), false));
        assert_eq!(found[2], (1, 3, Mode::Shared, None, true));
    }

    #[test]
    fn another_thread_may_end_a_section() {
        assert_eq!(sections("1 lock m\n2 unlock m"), [(1, 1, Mode::Exclusive, Some(2), false)]);
    }

    #[test]
    fn a_section_that_another_one_overlaps_was_ended_unseen() {
        let found = sections("1 lock m\n2 lock m\n2 unlock m");
        assert_eq!(found[0], (1, 1, Mode::Exclusive, None, false));
        assert_eq!(found[1], (1, 2, Mode::Exclusive, Some(3), false));
    }

    #[test]
    fn a_lock_that_is_gone_is_held_by_nobody() {
        assert_eq!(sections("1 lock m\n2 gone m"), [(1, 1, Mode::Exclusive, Some(2), false)]);
    }

    #[test]
    fn recursive_holds_end_innermost_first() {
        let found = sections("1 lock re\n1 lock re\n1 unlock re\n1 unlock re");
        assert_eq!(found[0].3, Some(4));
        assert_eq!(found[1].3, Some(3));
    }
}
