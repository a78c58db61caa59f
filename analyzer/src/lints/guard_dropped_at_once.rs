//! `guard_dropped_at_once`: `let _ = m.lock()` locks and unlocks in one go, and protects nothing.
//!
//! Certain where what is locked is known to be a lock. As a statement of its own, `m.lock().unwrap();` may be
//! meant as a wait for whoever holds it, and so is a `let _` after which nothing follows: `potential`.

use crate::finding::Certainty;
use crate::lints::{Draft, Lint, all_steps, site};
use crate::source_model::facts::Fate;
use crate::source_model::flow::What;
use crate::source_model::model::Model;

pub(super) struct GuardDroppedAtOnce;

impl Lint for GuardDroppedAtOnce {
    fn id(&self) -> &'static str {
        "guard_dropped_at_once"
    }

    fn check(&self, model: &Model<'_>) -> Vec<Draft> {
        let mut found = Vec::new();
        for (id, steps) in all_steps(model, false) {
            for (at, step) in steps.iter().enumerate() {
                let taken = match &step.what {
                    What::Acquire(taken) => Some(taken.clone()),
                    What::Own(target) => model.guard_given(id, step.expr, *target),
                    _ => None,
                };
                let Some(taken) = taken.filter(|taken| !taken.tries) else { continue };
                if !matches!(step.fate, Fate::Discarded | Fate::Unused) {
                    continue;
                }
                let discarded = step.fate == Fate::Discarded;
                let follows = steps[at + 1..].iter().any(|later| later.closure == step.closure);
                let sure = discarded && follows;
                let name = &taken.lock.name;
                let message = format!(
                    "`{name}` is unlocked again at once: the guard is dropped at the end of this statement"
                );
                let help =
                    "give the guard a name, such as `_guard`, so that it lives to the end of the block";
                let certainty = if sure { Certainty::Predicted } else { Certainty::Potential };
                let label = format!("`{name}` is locked and unlocked here");
                let later = || steps[at + 1..].iter().filter(|later| later.closure == step.closure);
                let harmless = later().all(|later| {
                    !matches!(later.what, What::Await) && model.effects_of(id, later).is_empty()
                });
                let draft = Draft::new(certainty, message, help).fixable(sure && harmless);
                found.push(draft.object("lock", name).at(site(id, step), "acquired_first", label));
            }
        }
        found
    }
}
