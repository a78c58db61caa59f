//! `check_then_act`: a shared container is asked under its lock, and changed under it once more, on the answer.
//!
//! Between the two critical sections another thread may have changed the container. Reported where the change is
//! in a branch whose condition comes from the question, both on the same lock of one function.
//! Always `potential`. `atomicity_violation` is its sibling that looks at a run.
//!
//! Misses: pairs over several functions, and conditions that are kept in structs.

use crate::finding::Certainty;
use crate::lints::{Draft, Lint, all_steps, site};
use crate::source_model::flow::{Held, Step, What};
use crate::source_model::link::ItemId;
use crate::source_model::model::Model;

pub(super) struct CheckThenAct;

/// Questions about a container.
const CHECKS: [&str; 10] =
    ["contains_key", "contains", "is_empty", "len", "get", "is_some", "is_none", "first", "last", "peek"];
/// Changes of it that the answer may be wrong for by then.
const ACTS: [&str; 14] = [
    "insert",
    "remove",
    "pop",
    "pop_front",
    "pop_back",
    "push",
    "push_back",
    "take",
    "swap_remove",
    "get_mut",
    "replace",
    "extend",
    "truncate",
    "drain",
];

impl Lint for CheckThenAct {
    fn id(&self) -> &'static str {
        "check_then_act"
    }

    fn check(&self, model: &Model<'_>) -> Vec<Draft> {
        let mut found = Vec::new();
        for (id, steps) in all_steps(model, false) {
            if model.linked().function(id).exclusive_self {
                continue;
            }
            for (at, act) in steps.iter().enumerate() {
                let Some((method, held)) = under_lock(model, id, act, &ACTS) else { continue };
                let check = steps[..at].iter().rev().find_map(|check| {
                    let (question, before) = under_lock(model, id, check, &CHECKS)?;
                    let same =
                        before.taken.lock.place == held.taken.lock.place && before.section != held.section;
                    let decides = check.branches.len() < act.branches.len()
                        && act.branches.starts_with(&check.branches)
                        && fits(question, method);
                    (same
                        && decides
                        && check.closure == act.closure
                        && !asked_again(model, id, &steps[..at], held))
                    .then_some((check, before))
                });
                let Some((check, before)) = check else { continue };
                let name = &held.taken.lock.name;
                let message =
                    format!("`{name}` is unlocked between this check and what is done on its answer");
                let help = "do both under one guard, or use one operation such as `entry`";
                found.push(
                    Draft::new(Certainty::Potential, message, help)
                        .object("lock", name)
                        .at(
                            site(id, check),
                            "read",
                            format!(
                                "what `{name}` protects is asked here, under the lock taken at line {}",
                                before.at.line
                            ),
                        )
                        .at(
                            site(id, act),
                            "written",
                            "and changed here, under the lock taken anew".to_owned(),
                        ),
                );
                break;
            }
        }
        found
    }
}

/// The lock under which a step asks or changes what it protects: it was taken in the same expression, or the
/// variable that holds the guard is asked.
fn under_lock<'s, 'm>(
    model: &Model<'m>,
    id: ItemId,
    step: &'s Step,
    methods: &[&str],
) -> Option<(&'m str, &'s Held)> {
    if !matches!(step.what, What::Other) {
        return None;
    }
    let (receiver, method, _) = model.method_call(id, step.expr)?;
    if !methods.contains(&method) {
        return None;
    }
    let held = step.held.iter().rev().find(|held| {
        held.taken.lock.place.is_certain()
            && super::guard_across_blocking_call::comes_from(model, id, receiver, held, 0)
    })?;
    Some((method, held))
}

/// Whether the answer to this question can be the reason for this change.
fn fits(question: &str, act: &str) -> bool {
    match question {
        "contains_key" | "contains" | "get" => {
            matches!(act, "insert" | "remove" | "push" | "push_back" | "get_mut" | "take" | "replace")
        }
        "is_some" | "is_none" => matches!(act, "take" | "replace" | "insert"),
        _ => !matches!(act, "get_mut"),
    }
}

/// Whether the second section asks before it changes.
fn asked_again(model: &Model<'_>, id: ItemId, before: &[Step], held: &Held) -> bool {
    before.iter().any(|step| {
        under_lock(model, id, step, &CHECKS).is_some_and(|(_, other)| other.section == held.section)
    })
}
