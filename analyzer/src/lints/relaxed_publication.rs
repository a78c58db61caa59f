//! `relaxed_publication`: data is handed over by an atomic whose orderings promise nothing about it.
//!
//! Two forms, both about a field or static of the package:
//! * a pointer (`AtomicPtr`) that is stored with `Relaxed` by one function and loaded with `Relaxed` by another;
//! * a flag (`AtomicBool`) that is set with `Relaxed` after a write through a raw pointer or to a `static mut` in the
//!   same function, and read with `Relaxed`.
//!
//! Always `potential`: a fence, a lock or a join may order the rest. Functions with a fence are left out.

use std::collections::BTreeMap;

use crate::finding::Certainty;
use crate::lints::{Draft, Lint, all_steps, atomics, site};
use crate::source_model::flow::{Step, What};
use crate::source_model::link::{ItemId, Site};
use crate::source_model::model::Model;
use crate::source_model::places::Class;

pub(super) struct RelaxedPublication;

#[derive(Default)]
struct Uses {
    name: String,
    stores: Vec<Site>,
    loads: Vec<Site>,
    /// Something that may order: another ordering, a fence, a lock.
    ordered: bool,
}

impl Lint for RelaxedPublication {
    fn id(&self) -> &'static str {
        "relaxed_publication"
    }

    fn check(&self, model: &Model<'_>) -> Vec<Draft> {
        let mut uses: BTreeMap<Class, Uses> = BTreeMap::new();
        for (id, steps) in all_steps(model, false) {
            for (at, step) in steps.iter().enumerate() {
                let Some(operation) = atomics::operation(model, id, step) else { continue };
                let Some(class) = model.types.class(id, operation.receiver, 0) else { continue };
                let known = uses.entry(class.clone()).or_default();
                known.name = model.types.name_of(id, &operation.place, Some(&class), operation.receiver);
                let Some(&ordering) = operation.args.last() else { continue };
                let relaxed = atomics::is_relaxed(model, id, ordering);
                let ordered = steps.iter().any(|step| is_fence(model, id, step));
                match operation.method {
                    _ if ordered => known.ordered = true,
                    // Under a lock the writer's lock orders it.
                    "load" if !step.held.is_empty() => {}
                    "load" if relaxed => known.loads.push(site(id, step)),
                    "store" if relaxed && publishes(model, id, &operation.ty, &steps[..at]) => {
                        known.stores.push(site(id, step));
                    }
                    "store" if relaxed => {}
                    "load" => {}
                    _ => known.ordered = true,
                }
            }
        }
        let complete = uses
            .into_values()
            .filter(|uses| !uses.ordered && !uses.stores.is_empty() && !uses.loads.is_empty());
        complete.map(|uses| draft(&uses)).collect()
    }
}

fn draft(uses: &Uses) -> Draft {
    let name = &uses.name;
    let message = format!(
        "`{name}` hands data over with `Relaxed` on both sides: the reader may see the data as it was before"
    );
    let help = "store with `Release` and load with `Acquire`";
    Draft::new(Certainty::Potential, message, help)
        .object("atomic", name)
        .at(uses.stores[0], "written", format!("`{name}` is stored here, after what it announces"))
        .at(uses.loads[0], "read", "and loaded here".to_owned())
}

/// Whether a relaxed store of this type announces something that was written before.
fn publishes(model: &Model<'_>, id: ItemId, ty: &str, before: &[Step]) -> bool {
    let writes_raw = |step: &Step| match step.what {
        What::Touch(write) => write && crate::lints::static_mut_shared::is_mutable(model, id, step.expr),
        What::Other => {
            let cell = model.method_call(id, step.expr);
            cell.is_some_and(|(receiver, method, args)| {
                method == "get"
                    && args.is_empty()
                    && model.types.of(id, receiver).external() == Some("UnsafeCell")
            })
        }
        _ => false,
    };
    match ty {
        "AtomicPtr" => true,
        "AtomicBool" => before.iter().any(writes_raw),
        _ => false,
    }
}

fn is_fence(model: &Model<'_>, id: ItemId, step: &Step) -> bool {
    model.external_call(id, step.expr).is_some_and(|path| path.ends_with("::fence"))
}
