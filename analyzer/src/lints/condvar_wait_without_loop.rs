//! `condvar_wait_without_loop`: a wait on a condvar that is not repeated until what is waited for is there.
//!
//! A wait may end without a notification, and another thread may have taken what the notification was about.
//! Certain for `wait`, in no loop, if its function does not hand the guard on. A timed wait outside of a loop
//! may be a mere pause: `potential`. Not reported if the function is only called in loops, or if the wait is in a
//! closure, which somebody may call in one.

use crate::finding::Certainty;
use crate::lints::{Draft, Lint, all_steps, site};
use crate::source_model::facts::Fate;
use crate::source_model::flow::{Step, What};
use crate::source_model::link::ItemId;
use crate::source_model::model::Model;

pub(super) struct CondvarWaitWithoutLoop;

impl Lint for CondvarWaitWithoutLoop {
    fn id(&self) -> &'static str {
        "condvar_wait_without_loop"
    }

    fn check(&self, model: &Model<'_>) -> Vec<Draft> {
        let mut found = Vec::new();
        for (id, steps) in all_steps(model, false) {
            for step in steps.iter() {
                let is_alone =
                    matches!(step.what, What::Wait(_)) && step.loops == 0 && step.closure.is_none();
                if !is_alone || step.fate == Fate::Returned || called_in_loop(model, id) {
                    continue;
                }
                found.extend(draft(model, id, step));
            }
        }
        found
    }
}

fn draft(model: &Model<'_>, id: ItemId, step: &Step) -> Option<Draft> {
    let (receiver, method, args) = model.method_call(id, step.expr)?;
    let is_condvar = model.types.of(id, receiver).external() == Some("Condvar");
    let given = matches!(&step.what, What::Wait(Some(_)));
    let timed = match method {
        "wait" if args.len() == 1 => false,
        "wait_timeout" | "wait_timeout_ms" | "wait_for" | "wait_until" if args.len() == 2 => true,
        _ => return None,
    };
    // That it is a condvar is known, or the guard says so.
    if !(is_condvar || given) || timed && step.branches.is_empty() {
        return None;
    }
    let place = model.types.place(id, receiver);
    let class = model.types.class(id, receiver, 0);
    let name = model.types.name_of(id, &place, class.as_ref(), receiver);
    // Whoever hands the guard in may look again.
    let own_guard = given;
    let certain = is_condvar && own_guard && !timed;
    let certainty = if certain { Certainty::Predicted } else { Certainty::Potential };
    let message = format!("this wait on `{name}` is not repeated until its condition holds");
    let help =
        "wait in a loop, `while !condition { guard = condvar.wait(guard).unwrap(); }`, or use `wait_while`";
    Some(
        Draft::new(certainty, message, help)
            .fixable(certain)
            .object("condvar", &name)
            .at(site(id, step), "waits", format!("the wait on `{name}` may end although nothing has changed"))
            .note("a condvar may wake up for no reason, and another thread may be quicker".to_owned()),
    )
}

/// Whether a function of the package's calls this one in a loop.
fn called_in_loop(model: &Model<'_>, id: ItemId) -> bool {
    all_steps(model, true).any(|(_, steps)| {
        steps.iter().any(|step| step.loops > 0 && matches!(&step.what, What::Own(target) if *target == id))
    })
}
