//! The locks that are held around critical sections: what else a thread has locked, from when on.
//!
//! Two stretches of code exclude each other if each is run under a common lock, in modes that exclude each
//! other, that is not given up on the way.

use std::collections::HashMap;

use snag_trace::Mode;

use crate::model::execution::{Execution, ObjectId, ThreadId};
use crate::model::modes::conflict;

/// Locks and the modes in which they are held, sorted.
pub type Locks = Vec<(ObjectId, Mode)>;

/// What is held around each section of an execution.
#[derive(Clone, Debug, Default)]
pub struct Guards {
    /// By section: the others of its thread that it begins in.
    around: Vec<Vec<u32>>,
}

impl Guards {
    /// Finds what is held around every section.
    #[must_use]
    pub fn of(execution: &Execution) -> Guards {
        let sections = execution.sections().all();
        let mut open: HashMap<ThreadId, Vec<u32>> = HashMap::new();
        let mut around = Vec::with_capacity(sections.len());
        for (number, section) in (0_u32..).zip(sections) {
            let own = open.entry(section.thread).or_default();
            own.retain(|&other| {
                let other = &sections[other as usize];
                other.end.map_or(other.open, |end| end > section.begin)
            });
            around.push(own.clone());
            own.push(number);
        }
        Guards { around }
    }

    /// What is held where a section begins.
    #[must_use]
    pub fn at(&self, execution: &Execution, section: usize) -> Locks {
        locks(execution, self.around[section].iter().copied())
    }

    /// What is held from where one section begins to where another of the same thread does.
    #[must_use]
    pub fn across(&self, execution: &Execution, first: usize, last: usize) -> Locks {
        let still = |section: &u32| self.around[last].contains(section);
        locks(execution, self.around[first].iter().copied().filter(still))
    }
}

fn locks(execution: &Execution, sections: impl Iterator<Item = u32>) -> Locks {
    let all = execution.sections().all();
    let mut locks: Locks =
        sections.map(|section| (all[section as usize].lock, all[section as usize].mode)).collect();
    locks.sort_unstable();
    locks.dedup();
    locks
}

/// Whether nobody can hold the ones while somebody else holds the others.
#[must_use]
pub fn exclude(ones: &[(ObjectId, Mode)], others: &[(ObjectId, Mode)]) -> bool {
    ones.iter().any(|(lock, mode)| {
        others.iter().any(|(other, their_mode)| lock == other && conflict(*mode, *their_mode))
    })
}

#[cfg(test)]
mod tests {
    use super::{Guards, exclude};
    use crate::model::script::{execution, object};
    use snag_trace::Mode::{Exclusive, Shared};

    #[test]
    fn what_is_held_from_one_section_to_another_was_never_given_up() {
        let kept = "1 lock m1\n1 lock m2\n1 unlock m2\n1 lock m2\n1 unlock m2\n1 unlock m1";
        let taken_anew = "1 lock m1\n1 lock m2\n1 unlock m2\n1 unlock m1\n1 lock m1\n1 lock m2";
        let across = |script: &str, first, last| {
            let execution = execution(script);
            Guards::of(&execution).across(&execution, first, last)
        };
        assert_eq!(across(kept, 1, 2), [(object(1), Exclusive)]);
        assert_eq!(across(taken_anew, 1, 3), []);
    }

    #[test]
    fn readers_do_not_keep_each_other_out() {
        let (reader, writer) = ([(object(1), Shared)], [(object(1), Exclusive)]);
        assert!(exclude(&reader, &writer) && exclude(&writer, &writer));
        assert!(!exclude(&reader, &reader) && !exclude(&writer, &[(object(2), Exclusive)]));
    }
}
