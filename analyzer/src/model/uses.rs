//! What was done in each critical section with what its lock protects, as its guard saw it.

use std::collections::BTreeMap;

use snag_trace::Kind;

use crate::model::execution::{Execution, ObjectId, SiteId, ThreadId};

/// What a section's holder did with what the lock protects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Use {
    /// Whether it read.
    pub reads: bool,
    /// Whether it wrote.
    pub writes: bool,
    /// Whether it read before it wrote.
    pub reads_first: bool,
    /// Where it first did either, if that is another place than where it took the lock.
    pub site: Option<SiteId>,
    /// What it first read, if that is memory that processes share.
    pub read_of: Option<(ObjectId, u64)>,
    /// What it first wrote, as above.
    pub write_of: Option<(ObjectId, u64)>,
}

impl Use {
    /// Whether what `other` wrote may be what this one read.
    #[must_use]
    pub fn may_be_of_the_same_as(&self, other: &Use) -> bool {
        self.read_of.is_none() || other.write_of.is_none() || self.read_of == other.write_of
    }
}

/// What was done in each section.
#[must_use]
pub fn uses(execution: &Execution) -> Vec<Use> {
    let sections = execution.sections();
    let mut uses = vec![Use::default(); sections.all().len()];
    let mut current: BTreeMap<(ThreadId, ObjectId), usize> = BTreeMap::new();
    for (index, event) in (0_u32..).zip(&execution.events) {
        let key = (event.thread, event.object);
        match event.kind {
            Kind::Acquire => {
                if let Some(section) = sections.begun_by(index) {
                    current.insert(key, section);
                }
            }
            Kind::Read | Kind::Write => {
                let Some(&section) = current.get(&key) else { continue };
                let used = &mut uses[section];
                used.reads_first |= event.kind == Kind::Read && !used.writes;
                used.reads |= event.kind == Kind::Read;
                used.writes |= event.kind == Kind::Write;
                if let Some(shared) = execution.memory.shared_at(event.seq) {
                    used.site.get_or_insert(event.site);
                    let of = if event.kind == Kind::Read { &mut used.read_of } else { &mut used.write_of };
                    of.get_or_insert((shared.object, shared.offset));
                }
            }
            _ => {}
        }
    }
    uses
}

#[cfg(test)]
mod tests {
    use super::{Use, uses};
    use crate::model::script::execution;

    #[test]
    fn reads_and_writes_belong_to_the_section_in_which_they_are() {
        let script =
            "1 lock m\n1 get m\n1 set m\n1 unlock m\n1 lock m\n1 set m\n1 get m\n1 unlock m\n1 lock m";
        let both = Use { reads: true, writes: true, reads_first: true, ..Use::default() };
        let found = uses(&execution(script));
        assert_eq!(found, [both, Use { reads_first: false, ..both }, Use::default()]);
    }
}
