//! `fork_with_threads`: the process is forked after it has started threads.
//!
//! The child has the forking thread only; locks that others held stay locked in it for ever. Reported where a
//! fork follows the start of a thread in one function or through what it calls, on the same way, and the thread is
//! not joined before. Always `potential`: the child may do nothing but `exec`.

use crate::finding::Certainty;
use crate::lints::{Draft, Lint, all_steps, site, threads};
use crate::source_model::flow::Step;
use crate::source_model::link::ItemId;
use crate::source_model::model::{Deed, Model, THREAD_END};

pub(super) struct ForkWithThreads;

impl Lint for ForkWithThreads {
    fn id(&self) -> &'static str {
        "fork_with_threads"
    }

    fn check(&self, model: &Model<'_>) -> Vec<Draft> {
        let mut found = Vec::new();
        for (id, steps) in all_steps(model, true) {
            for (at, fork) in steps.iter().enumerate() {
                let effects = model.effects_of(id, fork);
                let Some(effect) = effects.iter().find(|effect| matches!(effect.what, Deed::Fork)) else {
                    continue;
                };
                let started = steps[..at].iter().rev().find(|step| {
                    step.closure == fork.closure
                        && fork.branches.starts_with(&step.branches)
                        && starts(model, id, step)
                });
                let in_thread = fork.closure.filter(|_| fork.deferred).and_then(|closure| {
                    steps.iter().find(|step| {
                        threads::starts_thread(model, id, step)
                            && threads::body(model, id, step) == Some(closure)
                    })
                });
                let Some(started) = started.or(in_thread) else { continue };
                let is_between = |step: &&Step| step.at > started.at && step.at < fork.at;
                let joined = steps.iter().filter(is_between).any(|step| joins(model, id, step));
                if joined && in_thread.is_none() {
                    continue;
                }
                let message = "the process is forked while it has threads: locks that they hold stay locked in the child";
                let help = "fork before the first thread is started, or let the child do nothing but `exec`";
                let draft = Draft::new(Certainty::Potential, message.to_owned(), help)
                    .at(site(id, fork), "forks", "forked here".to_owned())
                    .at(site(id, started), "spawned", "with this thread running".to_owned());
                let draft = draft.through(effect.via.get(1..).unwrap_or_default());
                found.push(if effect.via.is_empty() {
                    draft
                } else {
                    draft.at(effect.at, "forks", "by this fork".to_owned())
                });
            }
        }
        found
    }
}

/// Whether a step leaves a thread running.
fn starts(model: &Model<'_>, id: ItemId, step: &Step) -> bool {
    if threads::starts_thread(model, id, step) {
        return true;
    }
    let effects = model.effects_of(id, step);
    let spawns = effects.iter().any(|effect| matches!(effect.what, Deed::Spawn));
    spawns && !effects.iter().any(|effect| matches!(effect.what, Deed::Block(THREAD_END)))
}

fn joins(model: &Model<'_>, id: ItemId, step: &Step) -> bool {
    let by_name =
        model.method_call(id, step.expr).is_some_and(|(_, method, args)| method == "join" && args.is_empty());
    by_name || model.effects_of(id, step).iter().any(|effect| matches!(effect.what, Deed::Block(THREAD_END)))
}
