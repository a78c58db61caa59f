//! `rwlock_read_recursion`: a read lock taken again by whoever reads already.
//!
//! With a writer queued between the two, the second read waits for the writer and the writer for the first.
//! Always `potential`: it takes a writer. Not said where nothing in the package ever writes.

use crate::finding::Certainty;
use crate::lints::{Draft, Lint, all_steps, site, site_of};
use crate::source_model::flow::What;
use crate::source_model::model::{Deed, Model};
use crate::source_model::places::{Class, LockKind, Mode};

pub(super) struct RwlockReadRecursion;

impl Lint for RwlockReadRecursion {
    fn id(&self) -> &'static str {
        "rwlock_read_recursion"
    }

    fn check(&self, model: &Model<'_>) -> Vec<Draft> {
        let written = written(model);
        let mut found = Vec::new();
        for (id, steps) in all_steps(model, true) {
            for step in steps.iter().filter(|step| !step.held.is_empty()) {
                for effect in model.effects_of(id, step) {
                    let Deed::Take(taken) = &effect.what else { continue };
                    let lock = &taken.lock;
                    let may_be_written = lock.class.as_ref().is_none_or(|class| written.contains(class));
                    let applies = lock.kind == LockKind::RwLock
                        && (taken.mode, taken.tries) == (Mode::Shared, false)
                        && lock.place.is_certain()
                        && may_be_written;
                    if !applies {
                        continue;
                    }
                    let same = |held: &&crate::source_model::flow::Held| {
                        held.taken.lock.place == lock.place && held.mode() == Mode::Shared
                    };
                    let Some(held) = step.held.iter().find(same) else { continue };
                    let name = &lock.name;
                    let message = format!(
                        "`{name}` is read-locked again by whoever holds a read lock: a writer that queues in \
                         between blocks both"
                    );
                    let help = "keep one read guard and pass a reference on, or use `read_recursive` where the \
                                lock has it";
                    let draft = Draft::new(Certainty::Potential, message, help)
                        .object("rwlock", name)
                        .at(site_of(id, held), "acquired_first", format!("`{name}` is read-locked here"))
                        .at(site(id, step), "wanted", "and again here".to_owned());
                    let draft = draft.through(effect.via.get(1..).unwrap_or_default());
                    let direct = matches!(step.what, What::Acquire(_));
                    found.push(if direct {
                        draft
                    } else {
                        draft.at(effect.at, "wanted", "which locks it here".to_owned())
                    });
                    break;
                }
            }
        }
        found
    }
}

/// Locks that something writes to.
fn written(model: &Model<'_>) -> Vec<Class> {
    let mut found = Vec::new();
    for (_, steps) in all_steps(model, true) {
        for step in steps.iter() {
            if let What::Acquire(taken) = &step.what
                && taken.mode != Mode::Shared
                && let Some(class) = &taken.lock.class
            {
                found.push(class.clone());
            }
        }
    }
    found
}
