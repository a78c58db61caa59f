//! `guard_in_scrutinee`: the guard in `match m.lock().unwrap().next() { … }` lives to the end of the `match`.
//!
//! Reported where the arms do something that a held lock makes risky: they take another lock or wait. (That
//! they take the same lock again is `double_lock`.) Edition 2024 ends the temporary of `if let` before
//! `else`; before that it lives to the end of the whole statement.

use crate::finding::Certainty;
use crate::lints::{Draft, Lint, all_steps, site, site_of};
use crate::source_model::flow::Step;
use crate::source_model::flow::What;
use crate::source_model::link::ItemId;
use crate::source_model::model::{Deed, Model};

pub(super) struct GuardInScrutinee;

impl Lint for GuardInScrutinee {
    fn id(&self) -> &'static str {
        "guard_in_scrutinee"
    }

    fn check(&self, model: &Model<'_>) -> Vec<Draft> {
        let mut found = Vec::new();
        for (id, steps) in all_steps(model, false) {
            let mut seen = Vec::new();
            for step in steps.iter() {
                let Some((what, of)) = risk(model, id, step) else { continue };
                for held in step.held.iter().filter(|held| held.temporary) {
                    let taken_at = steps.iter().find(|other| other.at == held.at);
                    let deeper = taken_at.is_some_and(|taken| taken.branches.len() < step.branches.len());
                    if !deeper || seen.contains(&held.at) || of.as_ref() == Some(&held.taken.lock.place) {
                        continue;
                    }
                    seen.push(held.at);
                    let name = &held.taken.lock.name;
                    let message =
                        format!("the guard of `{name}` lives as long as the whole statement, which {what}");
                    let help = "bind what is needed of it first: `let value = ….lock().unwrap().next();`";
                    found.push(
                        Draft::new(Certainty::Potential, message, help)
                            .object("lock", name)
                            .at(
                                site_of(id, held),
                                "acquired_first",
                                format!("`{name}` is locked here, for a temporary"),
                            )
                            .at(site(id, step), "wanted", "and still held here".to_owned()),
                    );
                }
            }
        }
        found
    }
}

/// What a step does that should not be done under a lock by accident, with the lock that it takes.
fn risk(
    model: &Model<'_>,
    id: ItemId,
    step: &Step,
) -> Option<(String, Option<crate::source_model::places::Place>)> {
    if matches!(step.what, What::Await) {
        return Some(("awaits".to_owned(), None));
    }
    model.effects_of(id, step).into_iter().find_map(|effect| match effect.what {
        Deed::Take(taken) if !taken.tries => {
            Some((format!("locks `{}` as well", taken.lock.name), Some(taken.lock.place)))
        }
        Deed::Block(on) if !matches!(step.what, What::Wait(_)) => Some((format!("waits for {on}"), None)),
        _ => None,
    })
}
