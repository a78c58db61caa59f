//! `static_mut_shared`: a `static mut` that a started thread and other code use, without a lock.
//!
//! Reported where the closure of a started thread reads or writes it, or a function that this closure calls, and at
//! least one use anywhere is a write, and none is under a lock. Always `potential`: something else may keep the
//! uses apart. rustc's `static_mut_refs` warns of references to any `static mut`; this rule says which ones threads
//! share, with both places.

use std::collections::BTreeMap;

use crate::finding::Certainty;
use crate::lints::{Draft, Lint, all_steps, site, threads};
use crate::source_model::facts::{Expr, ExprId};
use crate::source_model::flow::What;
use crate::source_model::link::{Def, ItemId, Site};
use crate::source_model::model::Model;

pub(super) struct StaticMutShared;

#[derive(Default)]
struct Uses {
    in_thread: Vec<(Site, bool)>,
    elsewhere: Vec<(Site, bool)>,
    locked: bool,
}

impl Lint for StaticMutShared {
    fn id(&self) -> &'static str {
        "static_mut_shared"
    }

    fn check(&self, model: &Model<'_>) -> Vec<Draft> {
        let on_threads = functions_on_threads(model);
        let mut uses: BTreeMap<ItemId, Uses> = BTreeMap::new();
        for (id, steps) in all_steps(model, false) {
            let bodies: Vec<_> = steps
                .iter()
                .filter(|step| threads::starts_thread(model, id, step))
                .filter_map(|step| threads::body(model, id, step))
                .collect();
            for step in steps.iter() {
                let What::Touch(write) = step.what else { continue };
                let Some(of) = mutable(model, id, step.expr) else { continue };
                let known = uses.entry(of).or_default();
                known.locked |= !step.held.is_empty();
                let in_thread =
                    on_threads.contains(&id) || step.closure.is_some_and(|closure| bodies.contains(&closure));
                let list = if in_thread { &mut known.in_thread } else { &mut known.elsewhere };
                list.push((site(id, step), write));
            }
        }
        let complete = uses.into_iter().filter(|(_, uses)| {
            let all = || uses.in_thread.iter().chain(&uses.elsewhere);
            !uses.locked && !uses.in_thread.is_empty() && all().count() > 1 && all().any(|(_, write)| *write)
        });
        complete.map(|(of, uses)| draft(model, of, &uses)).collect()
    }
}

fn draft(model: &Model<'_>, of: ItemId, uses: &Uses) -> Draft {
    let name = model.linked().facts(of.0).name(model.linked().static_def(of).name);
    let (first, writes) = *uses.in_thread.iter().find(|(_, write)| *write).unwrap_or(&uses.in_thread[0]);
    let rest = || uses.elsewhere.iter().chain(&uses.in_thread).filter(|(at, _)| *at != first);
    let other = rest().find(|(_, write)| writes || *write).or_else(|| rest().next());
    let verb = |write: bool| if write { "written" } else { "read" };
    let message = format!("`{name}` is a `static mut` that a started thread uses, and other code as well");
    let help = "make it an atomic, or put it in a `Mutex`, `OnceLock` or `LazyLock`";
    let mut draft = Draft::new(Certainty::Potential, message, help).object("static", name).at(
        first,
        verb(writes),
        format!("a started thread uses `{name}` here"),
    );
    if let Some((at, write)) = other {
        draft = draft.at(*at, verb(*write), format!("and it is {} here", verb(*write)));
    }
    draft
}

/// Functions that the closure of a started thread calls, directly or not.
fn functions_on_threads(model: &Model<'_>) -> Vec<ItemId> {
    let mut found: Vec<ItemId> = Vec::new();
    let mut called: BTreeMap<ItemId, Vec<ItemId>> = BTreeMap::new();
    for (id, steps) in all_steps(model, false) {
        for step in steps.iter() {
            if threads::starts_thread(model, id, step) {
                let body = threads::body(model, id, step);
                let inside = steps.iter().filter(|other| other.closure.is_some() && other.closure == body);
                found.extend(inside.filter_map(|other| match other.what {
                    What::Own(target) => Some(target),
                    _ => None,
                }));
                found.extend(named_body(model, id, step.expr));
            }
            if let What::Own(target) = step.what {
                called.entry(id).or_default().push(target);
            }
        }
    }
    let mut next = 0;
    while let Some(&id) = found.get(next) {
        next += 1;
        for &target in called.get(&id).into_iter().flatten() {
            if !found.contains(&target) {
                found.push(target);
            }
        }
    }
    found
}

/// The function in `thread::spawn(function)`.
fn named_body(model: &Model<'_>, id: ItemId, call: ExprId) -> Option<ItemId> {
    let function = model.linked().function(id);
    let (Expr::Call(_, args) | Expr::Method(_, _, args)) = &function.exprs[call as usize] else {
        return None;
    };
    let Expr::Path(path) = &function.exprs[*args.first()? as usize] else { return None };
    model.types.target_of_path(id, path)
}

/// The `static mut` that an expression names.
fn mutable(model: &Model<'_>, id: ItemId, expr: ExprId) -> Option<ItemId> {
    let function = model.linked().function(id);
    let Expr::Path(path) = &function.exprs[expr as usize] else { return None };
    match model.linked().resolve(id.0, function.inner, path)? {
        Def::Static(of) => model.linked().static_def(of).mutable.then_some(of),
        _ => None,
    }
}

/// Whether an expression names a `static mut`.
pub(super) fn is_mutable(model: &Model<'_>, id: ItemId, expr: ExprId) -> bool {
    mutable(model, id, expr).is_some()
}
