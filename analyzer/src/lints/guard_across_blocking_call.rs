//! `guard_across_blocking_call`: a lock is held while a thread waits for something else.
//!
//! A join, a message, a barrier, a condvar that gives up another lock, a sleep: whoever wants the lock waits as
//! long, and if what is waited for wants it, for ever. `potential`: it may be meant so. The common
//! `receiver.lock().recv()`, in which the lock is there to share the receiver, is not reported.

use crate::finding::Certainty;
use crate::lints::{Draft, Lint, all_steps, site, site_of};
use crate::source_model::flow::{Held, Step, What};
use crate::source_model::link::ItemId;
use crate::source_model::model::{Deed, Model, SLEEP};
use crate::source_model::types::Flavor;

pub(super) struct GuardAcrossBlockingCall;

impl Lint for GuardAcrossBlockingCall {
    fn id(&self) -> &'static str {
        "guard_across_blocking_call"
    }

    fn check(&self, model: &Model<'_>) -> Vec<Draft> {
        let mut found = Vec::new();
        for (id, steps) in all_steps(model, false) {
            let mut seen = Vec::new();
            for step in steps.iter().filter(|step| !step.held.is_empty()) {
                for effect in model.effects_of(id, step) {
                    let Deed::Block(on) = effect.what else { continue };
                    // Whether a wait in a called function gives up this very guard is not known.
                    let inner_wait = on == "a condvar" && !matches!(step.what, What::Wait(_));
                    let Some(held) = step.held.iter().find(|held| counts(model, id, step, held)) else {
                        continue;
                    };
                    // A sleep in a loop polls for something; that may be what the lock is for.
                    let polls = on == SLEEP && step.loops > 0;
                    if inner_wait || polls || seen.contains(&held.at) {
                        continue;
                    }
                    seen.push(held.at);
                    let name = &held.taken.lock.name;
                    let message = format!("`{name}` stays locked while the thread waits for {on}");
                    let help = "release the guard before waiting";
                    let draft = Draft::new(Certainty::Potential, message, help)
                        .object("lock", name)
                        .at(site_of(id, held), "acquired_first", format!("`{name}` is locked here"))
                        .at(site(id, step), "waits", format!("`{name}` is held across this call"))
                        .through(effect.via.get(1..).unwrap_or_default());
                    let direct = effect.via.is_empty();
                    found.push(if direct {
                        draft
                    } else {
                        draft.at(effect.at, "waits", format!("which waits for {on} here"))
                    });
                }
            }
        }
        found
    }
}

/// Whether this guard is one that the wait should not be under.
fn counts(model: &Model<'_>, id: ItemId, step: &Step, held: &Held) -> bool {
    held.taken.lock.flavor == Flavor::Blocking && !model.comes_from(id, step.expr, held)
}
