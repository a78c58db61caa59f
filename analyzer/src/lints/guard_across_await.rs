//! `guard_across_await`: the guard of a lock that blocks is held while a task is suspended.
//!
//! Whoever wants the lock then blocks a thread of the executor, which may be the one that the holder needs.
//! `potential`: an executor with one task on a thread of its own gets along. Locks that suspend (tokio's,
//! async-lock's) are made for it and not reported.

use crate::finding::Certainty;
use crate::lints::{Draft, Lint, all_steps, site, site_of};
use crate::source_model::flow::What;
use crate::source_model::model::Model;
use crate::source_model::types::Flavor;

pub(super) struct GuardAcrossAwait;

impl Lint for GuardAcrossAwait {
    fn id(&self) -> &'static str {
        "guard_across_await"
    }

    fn check(&self, model: &Model<'_>) -> Vec<Draft> {
        let mut found = Vec::new();
        for (id, steps) in all_steps(model, false) {
            let mut seen = Vec::new();
            for step in steps.iter().filter(|step| matches!(step.what, What::Await)) {
                for held in step.held.iter().filter(|held| held.taken.lock.flavor == Flavor::Blocking) {
                    if seen.contains(&held.at) {
                        continue;
                    }
                    seen.push(held.at);
                    let name = &held.taken.lock.name;
                    let message = format!("`{name}` stays locked while the task is suspended at an `.await`");
                    let help =
                        "release the guard before the `.await`, or use a lock that suspends, such as tokio's";
                    found.push(
                        Draft::new(Certainty::Potential, message, help)
                            .object("lock", name)
                            .at(site_of(id, held), "acquired_first", format!("`{name}` is locked here"))
                            .at(site(id, step), "waits", format!("`{name}` is held across this `.await`")),
                    );
                }
            }
        }
        found
    }
}
