//! `atomic_load_then_store`: an atomic is loaded, and what is stored back was made of that value.
//!
//! What another thread stores in between is lost. Reported where both are the same atomic, no lock is held at
//! both, and the function cannot have it alone (`&mut self`). Always `potential`: there may be one writer only.
//! `lost_update` is its sibling that looks at a run.

use crate::finding::Certainty;
use crate::lints::{Draft, Lint, all_steps, atomics, site};
use crate::source_model::flow::Step;
use crate::source_model::link::ItemId;
use crate::source_model::model::Model;
use crate::source_model::places::Root;

pub(super) struct AtomicLoadThenStore;

impl Lint for AtomicLoadThenStore {
    fn id(&self) -> &'static str {
        "atomic_load_then_store"
    }

    fn check(&self, model: &Model<'_>) -> Vec<Draft> {
        let mut found = Vec::new();
        if has_turns(model) {
            return found;
        }
        for (id, steps) in all_steps(model, false) {
            if model.linked().function(id).exclusive_self {
                continue;
            }
            for (at, store) in steps.iter().enumerate() {
                let Some(written) =
                    atomics::operation(model, id, store).filter(|written| written.method == "store")
                else {
                    continue;
                };
                if !written.place.is_certain() || is_fresh(model, id, &written.place.root) {
                    continue;
                }
                let load = steps[..at].iter().rev().find(|load| {
                    atomics::operation(model, id, load).is_some_and(|read| {
                        let value = written.args.first();
                        read.method == "load"
                            && read.place == written.place
                            && value.is_some_and(|&value| atomics::depends(model, id, value, load.expr, 0))
                    })
                });
                let updated_between = |load: &Step| {
                    steps[..at].iter().any(|between| {
                        between.at > load.at
                            && atomics::operation(model, id, between)
                                .is_some_and(|other| other.place == written.place && other.method != "load")
                    })
                };
                let Some(load) = load.filter(|load| !updated_between(load) && !shares_lock(load, store))
                else {
                    continue;
                };
                let class = model.types.class(id, written.receiver, 0);
                let name = model.types.name_of(id, &written.place, class.as_ref(), written.receiver);
                let message = format!(
                    "`{name}` is loaded and stored again: what other threads store in between is lost"
                );
                let help = "use one operation: `fetch_add`, `fetch_update`, `swap` or `compare_exchange`";
                found.push(
                    Draft::new(Certainty::Potential, message, help)
                        .object("atomic", &name)
                        .at(site(id, load), "read", format!("`{name}` is loaded here"))
                        .at(site(id, store), "written", "and stored here, made of that value".to_owned())
                        .note("harmless if only one thread ever stores to it".to_owned()),
                );
            }
        }
        found
    }
}

/// Whether threads of the package wait for each other in loops on atomics that order what they do: such a hand-made lock
/// may keep the two operations together.
fn has_turns(model: &Model<'_>) -> bool {
    all_steps(model, false).any(|(id, steps)| {
        let pauses = |step: &Step| {
            let path = model.external_call(id, step.expr).unwrap_or_default();
            step.loops > 0 && ["::yield_now", "::spin_loop"].iter().any(|end| path.ends_with(end))
        };
        let acquires = |step: &Step| {
            let read =
                atomics::operation(model, id, step).filter(|read| step.loops > 0 && read.method == "load");
            read.is_some_and(|read| {
                read.args.first().is_some_and(|&ordering| !atomics::is_relaxed(model, id, ordering))
            })
        };
        steps.iter().any(pauses) && steps.iter().any(acquires)
    })
}

/// Whether a lock is held from the one to the other.
fn shares_lock(load: &Step, store: &Step) -> bool {
    load.held.iter().any(|held| store.held.iter().any(|other| other.section == held.section))
}

/// Whether it is a variable of the function's own, no parameter.
fn is_fresh(model: &Model<'_>, id: ItemId, root: &Root) -> bool {
    match root {
        Root::Local(local) => {
            let function = model.linked().function(id);
            let variable = &function.locals[*local as usize];
            *local >= function.params
                && variable.init.is_some_and(|init| {
                    matches!(
                        function.exprs[init as usize],
                        crate::source_model::facts::Expr::Call(..)
                            | crate::source_model::facts::Expr::Struct(..)
                    )
                })
                && function.closures.is_empty()
        }
        _ => false,
    }
}
