//! `detached_thread`: a program starts a thread that holds locks, and nobody waits for its end.
//!
//! When `main` returns, the thread is killed wherever it is: in the middle of a write under a lock. Reported for
//! threads that a program starts and whose handle is dropped at once, if what they do takes a lock. Libraries and tests
//! are left out. Always `potential`. `thread_killed_at_exit` is its sibling that looks at a run.

use crate::finding::Certainty;
use crate::lints::{Draft, Lint, all_steps, site, threads};
use crate::source_model::facts::Fate;
use crate::source_model::flow::Step;
use crate::source_model::link::ItemId;
use crate::source_model::model::{Deed, Model};
use crate::source_model::packages::RootKind;

pub(super) struct DetachedThread;

impl Lint for DetachedThread {
    fn id(&self) -> &'static str {
        "detached_thread"
    }

    fn check(&self, model: &Model<'_>) -> Vec<Draft> {
        let linked = model.linked();
        let mut found = Vec::new();
        for (id, steps) in all_steps(model, false) {
            let module = linked.module(id.0, linked.function(id).module);
            if !matches!(linked.modules[module].kind, RootKind::Program | RootKind::Alone) {
                continue;
            }
            for step in steps.iter() {
                let dropped = matches!(step.fate, Fate::Unused | Fate::Discarded);
                if !dropped || !threads::starts_thread(model, id, step) {
                    continue;
                }
                let is_scoped = model
                    .method_call(id, step.expr)
                    .is_some_and(|(receiver, ..)| model.types.of(id, receiver).external() != Some("Builder"));
                let Some(body) = threads::body(model, id, step).filter(|_| !is_scoped) else { continue };
                let last = steps.iter().rfind(|inner| inner.closure == Some(body));
                if last.is_some_and(|last| tells_of_its_end(model, id, last)) {
                    continue;
                }
                let locks = steps.iter().filter(|inner| inner.closure == Some(body)).find_map(|inner| {
                    let effects = model.effects_of(id, inner);
                    let taken = effects.into_iter().find_map(|effect| match effect.what {
                        Deed::Take(taken) => Some(taken.lock.name),
                        _ => None,
                    });
                    taken.map(|name| (inner, name))
                });
                let Some((inner, name)) = locks else { continue };
                let message = format!(
                    "nobody waits for this thread: the end of the program may kill it while it holds `{name}`"
                );
                let help = "keep the `JoinHandle` and join it before `main` returns";
                found.push(
                    Draft::new(Certainty::Potential, message, help)
                        .object("lock", &name)
                        .at(site(id, step), "spawned", "its handle is dropped here".to_owned())
                        .at(site(id, inner), "acquired_first", format!("it takes `{name}` here")),
                );
            }
        }
        found
    }
}

/// Whether the last step of a thread is one that somebody may wait for.
fn tells_of_its_end(model: &Model<'_>, id: ItemId, last: &Step) -> bool {
    let call = model.method_call(id, last.expr);
    call.is_some_and(|(_, method, _)| {
        matches!(method, "send" | "notify_one" | "notify_all" | "wait" | "unpark" | "store")
    })
}
