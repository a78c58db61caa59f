//! Static rules: the model of a package's sources in, findings out. One file per rule, its stem the rule's id.
//!
//! Invariants:
//! * A rule does no I/O and prints nothing, and sees nothing but the [`Model`].
//! * `predicted` means here that the source alone proves it: whenever the marked line is reached, it happens.
//!   Everything else is `potential`. `confirmed` is left to runs.
//! * Where the model does not know, a rule is silent.

mod atomic_load_then_store;
mod atomics;
mod check_then_act;
pub mod checking;
mod condvar_wait_without_loop;
mod detached_thread;
mod double_lock;
pub mod fixes;
mod fork_with_threads;
mod guard_across_await;
mod guard_across_blocking_call;
mod guard_dropped_at_once;
mod guard_in_scrutinee;
mod lock_order_inversion;
mod notify_without_change_under_lock;
mod once_reentrancy;
mod relaxed_publication;
mod rwlock_read_recursion;
pub mod siblings;
mod static_mut_shared;
mod threads;
mod unsafe_send_sync_unbounded;

use crate::finding::{Certainty, Finding, Location, ObjectRef, Place};
use crate::source_model::flow::{Held, Step};
use crate::source_model::link::{ItemId, Site};
use crate::source_model::model::Model;

/// One static rule.
pub trait Lint: Sync {
    /// Its id: file stem here and in docs/rules.
    fn id(&self) -> &'static str;
    /// Everything that it finds in a package.
    fn check(&self, model: &Model<'_>) -> Vec<Draft>;
}

/// Every static rule, in alphabetical order.
pub static REGISTRY: &[&dyn Lint] = &[
    &atomic_load_then_store::AtomicLoadThenStore,
    &check_then_act::CheckThenAct,
    &condvar_wait_without_loop::CondvarWaitWithoutLoop,
    &detached_thread::DetachedThread,
    &double_lock::DoubleLock,
    &fork_with_threads::ForkWithThreads,
    &guard_across_await::GuardAcrossAwait,
    &guard_across_blocking_call::GuardAcrossBlockingCall,
    &guard_dropped_at_once::GuardDroppedAtOnce,
    &guard_in_scrutinee::GuardInScrutinee,
    &lock_order_inversion::LockOrderInversion,
    &notify_without_change_under_lock::NotifyWithoutChangeUnderLock,
    &once_reentrancy::OnceReentrancy,
    &relaxed_publication::RelaxedPublication,
    &rwlock_read_recursion::RwlockReadRecursion,
    &static_mut_shared::StaticMutShared,
    &unsafe_send_sync_unbounded::UnsafeSendSyncUnbounded,
];

/// A finding, as a rule makes it.
#[derive(Debug)]
pub struct Draft {
    certainty: Certainty,
    message: String,
    help: &'static str,
    places: Vec<(Site, &'static str, String)>,
    objects: Vec<(&'static str, String)>,
    notes: Vec<String>,
    /// Whether the source can be changed so that this is gone and nothing else.
    fixable: bool,
}

impl Draft {
    fn new(certainty: Certainty, message: String, help: &'static str) -> Draft {
        Draft {
            certainty,
            message,
            help,
            places: Vec::new(),
            objects: Vec::new(),
            notes: Vec::new(),
            fixable: false,
        }
    }

    fn fixable(mut self, fixable: bool) -> Draft {
        self.fixable = fixable;
        self
    }

    fn at(mut self, site: Site, role: &'static str, label: String) -> Draft {
        self.places.push((site, role, label));
        self
    }

    /// The calls that lead to a place.
    fn through(mut self, via: &[Site]) -> Draft {
        for &call in via {
            self = self.at(call, "calls", "by this call".to_owned());
        }
        self
    }

    fn object(mut self, kind: &'static str, name: &str) -> Draft {
        self.objects.push((kind, name.to_owned()));
        self
    }

    fn note(mut self, note: String) -> Draft {
        self.notes.push(note);
        self
    }

    /// The finding, with paths as reports have them.
    #[must_use]
    pub fn finish(self, rule: &str, short: &dyn Fn(usize) -> String) -> Finding {
        let location = |(site, role, label): (Site, &str, String)| Location {
            role: role.to_owned(),
            place: Place { file: short(site.file), line: site.at.line, column: site.at.column },
            thread: 0,
            label,
            held: Vec::new(),
            access: None,
            package: None,
            stack: Vec::new(),
        };
        let object = |(kind, name): (&str, String)| ObjectRef { kind: kind.to_owned(), name, born: None };
        Finding {
            rule: rule.to_owned(),
            certainty: self.certainty,
            message: self.message,
            help: self.help.to_owned(),
            count: 1,
            threads: Vec::new(),
            processes: Vec::new(),
            objects: self.objects.into_iter().map(object).collect(),
            locations: self.places.into_iter().map(location).collect(),
            witness: Vec::new(),
            notes: self.notes,
            schedule: None,
        }
    }
}

/// All steps of all functions, those for tests left out if asked.
fn all_steps<'m>(
    model: &'m Model<'_>,
    with_tests: bool,
) -> impl Iterator<Item = (ItemId, std::rc::Rc<Vec<Step>>)> + 'm {
    let linked = model.linked();
    linked
        .functions()
        .filter(move |&id| !linked.function(id).body.is_empty())
        .filter(move |&id| with_tests || !linked.is_test(id))
        .map(|id| (id, model.steps(id)))
}

fn site(id: ItemId, step: &Step) -> Site {
    Site { file: id.0, at: step.at }
}

fn site_of(id: ItemId, held: &Held) -> Site {
    Site { file: id.0, at: held.at }
}

/// The name of a function.
fn name_of<'a>(model: &Model<'a>, id: ItemId) -> &'a str {
    model.linked().facts(id.0).name(model.linked().function(id).name)
}
