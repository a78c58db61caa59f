//! `notify_without_change_under_lock`: what is notified was changed without the lock that its waiters hold.
//!
//! A waiter that has looked and not yet begun to wait then misses the notification. Reported where a function
//! stores to an atomic and notifies a condvar, and neither it nor what it calls takes any lock.
//! Always `potential`: the waiters may use timeouts.

use crate::finding::Certainty;
use crate::lints::{Draft, Lint, all_steps, atomics, site};
use crate::source_model::flow::{Step, What};
use crate::source_model::link::ItemId;
use crate::source_model::model::{Deed, Model};

pub(super) struct NotifyWithoutChangeUnderLock;

impl Lint for NotifyWithoutChangeUnderLock {
    fn id(&self) -> &'static str {
        "notify_without_change_under_lock"
    }

    fn check(&self, model: &Model<'_>) -> Vec<Draft> {
        let mut found = Vec::new();
        for (id, steps) in all_steps(model, false) {
            for (at, step) in steps.iter().enumerate().filter(|(_, step)| is_notify(model, id, step)) {
                let before = || steps[..at].iter().filter(|other| other.closure == step.closure);
                let locks = |other: &Step| {
                    let deeds = model.effects_of(id, other);
                    deeds.iter().any(|effect| matches!(effect.what, Deed::Take(_)))
                        || unknown_lock(model, id, other)
                };
                if !step.held.is_empty() || before().any(locks) {
                    continue;
                }
                let Some(store) = before().rfind(|other| atomics::is_write(model, id, other)) else {
                    continue;
                };
                let message = "what this notification is about was changed without the lock that waiters hold: one \
                               that has just looked misses it";
                let help = "change it while holding the condvar's mutex (an empty critical section before the \
                            notification will do)";
                found.push(
                    Draft::new(Certainty::Potential, message.to_owned(), help)
                        .at(
                            site(id, step),
                            "notifies",
                            "this notification can come before the wait".to_owned(),
                        )
                        .at(site(id, store), "access", "after this change, which no lock orders".to_owned()),
                );
            }
        }
        found
    }
}

fn is_notify(model: &Model<'_>, id: ItemId, step: &Step) -> bool {
    let Some((receiver, method, [])) = model.method_call(id, step.expr) else { return false };
    matches!(step.what, What::Other)
        && matches!(method, "notify_one" | "notify_all")
        && model.types.of(id, receiver).external() == Some("Condvar")
}

/// Something that may be a lock although its type is not known.
fn unknown_lock(model: &Model<'_>, id: ItemId, step: &Step) -> bool {
    model
        .method_call(id, step.expr)
        .is_some_and(|(_, method, _)| method.contains("lock") || method == "write")
}
