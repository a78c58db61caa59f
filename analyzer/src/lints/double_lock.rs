//! `double_lock`: a lock taken again by whoever holds it.
//!
//! Certain where both locks are the same place of the same variable, static or `self`, the guard is held on
//! every way to the second lock, and so is the second lock taken on every way through what is called.
//! The static sibling of `deadlock`, which finds it in a run.
//!
//! Misses: objects that have two names, closures that are stored, recursion through traits.

use crate::finding::Certainty;
use crate::lints::{Draft, Lint, all_steps, site, site_of};
use crate::source_model::flow::What;
use crate::source_model::link::Site;
use crate::source_model::model::{Deed, Effect, Model};
use crate::source_model::places::{LockKind, Mode};
use crate::source_model::types::Flavor;

pub(super) struct DoubleLock;

impl Lint for DoubleLock {
    fn id(&self) -> &'static str {
        "double_lock"
    }

    fn check(&self, model: &Model<'_>) -> Vec<Draft> {
        let mut found = Vec::new();
        for (id, steps) in all_steps(model, true) {
            for step in steps.iter().filter(|step| !step.held.is_empty()) {
                let mut seen = Vec::new();
                for effect in model.effects_of(id, step) {
                    let Deed::Take(taken) = &effect.what else { continue };
                    if taken.tries || !taken.lock.place.is_certain() || seen.contains(&taken.lock.place) {
                        continue;
                    }
                    let same = |held: &&crate::source_model::flow::Held| {
                        held.taken.lock.place == taken.lock.place && taken.excludes(held.mode())
                    };
                    let Some(held) = step.held.iter().find(same) else { continue };
                    seen.push(taken.lock.place.clone());
                    let direct = matches!(step.what, What::Acquire(_));
                    // A call may look first whether the lock is held.
                    let surely = direct || effect.certain_in_call;
                    let tried = held.taken.tries;
                    let certainty =
                        if surely && !tried { Certainty::Predicted } else { Certainty::Potential };
                    found.push(draft(&effect, certainty, site_of(id, held), held.temporary, site(id, step)));
                }
            }
        }
        found
    }
}

fn draft(effect: &Effect, certainty: Certainty, first: Site, temporary: bool, call: Site) -> Draft {
    let Deed::Take(taken) = &effect.what else { unreachable!("only locks come here") };
    let name = &taken.lock.name;
    let waits = if taken.lock.flavor == Flavor::Async { "the task" } else { "the thread" };
    let through = if effect.via.is_empty() { "" } else { ", through a call" };
    let message = format!("`{name}` is locked again while it is held{through}: {waits} waits for itself");
    let help = "release the guard first (`drop` it, or end its block), or work on what is locked already";
    let kind = if taken.lock.kind == LockKind::RwLock { "rwlock" } else { "mutex" };
    let mut draft = Draft::new(certainty, message, help).object(kind, name).at(
        first,
        "acquired_first",
        format!(
            "`{name}` is locked here{}",
            if temporary { ", and the guard lives to the end of the statement" } else { "" }
        ),
    );
    if effect.via.is_empty() {
        let again = if taken.mode == Mode::Shared { "read-locked" } else { "locked" };
        return draft.at(call, "wanted", format!("and {again} again here"));
    }
    draft = draft.at(call, "calls", format!("`{name}` is still held by this call"));
    draft = draft.through(&effect.via[1..]);
    draft.at(effect.at, "wanted", "and locked again here".to_owned())
}
