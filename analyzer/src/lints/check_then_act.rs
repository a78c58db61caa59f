//! `check_then_act`: a shared container is asked under its lock, and changed under it once more, on the answer.
//!
//! Between the two critical sections another thread may have changed the container. Reported where the change is
//! in a branch whose condition comes from the question, both on the same lock of one function.
//! Always `potential`. `atomicity_violation` is its sibling that looks at a run.
//!
//! The two may be in functions of the package that are called (`if self.covers(amount) { self.take(amount) }`).
//!
//! Misses: pairs of which the caller does not see both, and conditions that are kept in structs.

use crate::finding::Certainty;
use crate::lints::{Draft, Lint, all_steps, atomics, site};
use crate::source_model::facts::Expr;
use crate::source_model::flow::{Held, Step, What};
use crate::source_model::link::{ItemId, Site};
use crate::source_model::model::{CHANGES, Deed, Effect, Model};
use crate::source_model::places::Place;

pub(super) struct CheckThenAct;

/// Questions about a container.
const CHECKS: [&str; 10] =
    ["contains_key", "contains", "is_empty", "len", "get", "is_some", "is_none", "first", "last", "peek"];

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
            let before = found.len();
            for (at, act) in steps.iter().enumerate() {
                let Some((method, held)) = under_lock(model, id, act, &CHANGES) else { continue };
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
            if found.len() == before {
                found.extend(by_calls(model, id, &steps));
            }
        }
        found
    }
}

/// A value that one call gets under a lock, and another that changes what the lock protects, made of that value or decided by it.
fn by_calls(model: &Model<'_>, id: ItemId, steps: &[Step]) -> Option<Draft> {
    for (at, act) in steps.iter().enumerate() {
        let changed = model.effects_of(id, act).into_iter().find_map(|effect| match effect.what {
            Deed::Change(ref taken) if taken.lock.place.is_certain() => {
                Some((taken.lock.clone(), effect.at, effect.via))
            }
            _ => None,
        });
        let Some((lock, changed_at, via)) = changed else { continue };
        if via.is_empty() && act.held.iter().all(|held| held.taken.lock.place != lock.place) {
            continue;
        }
        let check = steps[..at].iter().find(|check| {
            check.closure == act.closure
                && matches!(check.what, What::Own(_))
                && takes(&model.effects_of(id, check), &lock.place)
                && check.held.is_empty()
                && decides(model, id, check, act)
        });
        let Some(check) = check else { continue };
        let name = &lock.name;
        let message = format!("`{name}` is unlocked between this call and what is done with its answer");
        let help = "do both under one guard, in one function";
        let draft = Draft::new(Certainty::Potential, message, help)
            .object("lock", name)
            .at(site(id, check), "read", format!("what `{name}` protects is asked here"))
            .at(site(id, act), "written", "and changed here on the answer".to_owned());
        let inner = Site { file: changed_at.file, at: changed_at.at };
        return Some(if via.is_empty() { draft } else { draft.at(inner, "written", "by this".to_owned()) });
    }
    None
}

/// Whether a lock is taken, and what it protects is not changed.
fn takes(effects: &[Effect], place: &Place) -> bool {
    let about = |effect: &&Effect| match &effect.what {
        Deed::Take(taken) | Deed::Change(taken) => taken.lock.place == *place,
        _ => false,
    };
    let mut own = effects.iter().filter(about).peekable();
    own.peek().is_some() && own.all(|effect| matches!(effect.what, Deed::Take(_)))
}

/// Whether what is done depends on what was asked.
fn decides(model: &Model<'_>, id: ItemId, check: &Step, act: &Step) -> bool {
    let function = model.linked().function(id);
    let on = |expr| atomics::depends(model, id, expr, check.expr, 0);
    let by_argument = match &function.exprs[act.expr as usize] {
        Expr::Method(_, _, args) | Expr::Call(_, args) => args.iter().any(|&arg| on(arg)),
        _ => false,
    };
    by_argument || act.conditions.iter().any(|&condition| on(condition))
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
    let held = step
        .held
        .iter()
        .rev()
        .find(|held| held.taken.lock.place.is_certain() && model.comes_from(id, receiver, held))?;
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
