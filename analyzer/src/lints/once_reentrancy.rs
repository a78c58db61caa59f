//! `once_reentrancy`: the initialiser of a `Once`, `OnceLock` or `LazyLock` comes back to it.
//!
//! Whoever initialises waits for itself: a deadlock, or a panic. Certain for a static that its own initialiser uses on
//! every way; through a call that may not come to it, or for the same field of `self`, `potential`.

use crate::finding::Certainty;
use crate::lints::{Draft, Lint, all_steps, site};
use crate::source_model::facts::{Expr, ExprId, Type};
use crate::source_model::flow::{Step, What};
use crate::source_model::link::{Def, ItemId, Site};
use crate::source_model::model::Model;
use crate::source_model::places::{Place, Root};

pub(super) struct OnceReentrancy;

/// Calls through which an initialiser is not followed further.
const DEEPEST: u32 = 5;

impl Lint for OnceReentrancy {
    fn id(&self) -> &'static str {
        "once_reentrancy"
    }

    fn check(&self, model: &Model<'_>) -> Vec<Draft> {
        let mut found = Vec::new();
        for (id, steps) in all_steps(model, true) {
            for step in steps.iter() {
                let Some((place, by)) = initialises(model, id, step) else { continue };
                let (within, own) = match by {
                    By::Closure(closure) => {
                        (id, steps.iter().filter(|inner| inner.closure == Some(closure)).cloned().collect())
                    }
                    By::Function(target) => (target, outside_closures(model, target)),
                };
                let own: Vec<&Step> = own.iter().collect();
                if let Some((again, via)) = comes_back(model, within, &own, &place, 0) {
                    found.push(draft(model, id, &place, site(id, step), again, &via));
                }
            }
        }
        found.extend(lazy_statics(model));
        found
    }
}

/// What initialises.
enum By {
    Closure(u32),
    Function(ItemId),
}

fn outside_closures(model: &Model<'_>, id: ItemId) -> Vec<Step> {
    model.steps(id).iter().filter(|step| !step.deferred).cloned().collect()
}

/// `once.call_once(closure)`, `cell.get_or_init(closure)`: the object and the closure.
fn initialises(model: &Model<'_>, id: ItemId, step: &Step) -> Option<(Place, By)> {
    let (receiver, method, args) = model.method_call(id, step.expr)?;
    if !matches!(method, "call_once" | "call_once_force" | "get_or_init" | "get_or_try_init") {
        return None;
    }
    let known = matches!(model.types.of(id, receiver).external(), Some("Once" | "OnceLock" | "OnceCell"))
        || wraps_once(model, id, receiver);
    let place = model.types.place(id, receiver);
    let by = args.iter().find_map(|&arg| match &model.linked().function(id).exprs[arg as usize] {
        Expr::Closure(closure) => Some(By::Closure(*closure)),
        Expr::Path(path) => model.types.target_of_path(id, path).map(By::Function),
        _ => None,
    })?;
    (known && place.is_certain()).then_some((place, by))
}

/// Whether it is a static whose written type is a `OnceLock` or the like.
fn wraps_once(model: &Model<'_>, id: ItemId, expr: ExprId) -> bool {
    let Root::Static(of) = model.types.place(id, expr).root else { return false };
    is_named(model, of, &["Once", "OnceLock", "OnceCell"])
}

fn is_named(model: &Model<'_>, of: ItemId, names: &[&str]) -> bool {
    let facts = model.linked().facts(of.0);
    matches!(&model.linked().static_def(of).ty, Type::Path(path, _) if path.last().is_some_and(|&last| names.contains(&facts.name(last))))
}

/// Where one of these steps, or what it calls, uses the object.
fn comes_back(
    model: &Model<'_>,
    id: ItemId,
    steps: &[&Step],
    place: &Place,
    depth: u32,
) -> Option<(Site, Vec<Site>)> {
    if depth > DEEPEST {
        return None;
    }
    for step in steps {
        if let Some((again, _)) = initialises(model, id, step)
            && again == *place
        {
            return Some((site(id, step), Vec::new()));
        }
        if let (What::Own(target), Root::Static(_)) = (&step.what, &place.root) {
            let inner = outside_closures(model, *target);
            let own: Vec<&Step> = inner.iter().collect();
            if let Some((again, mut via)) = comes_back(model, *target, &own, place, depth + 1) {
                via.insert(0, site(id, step));
                return Some((again, via));
            }
        }
        if let (What::Touch(_), Root::Static(of)) = (&step.what, &place.root)
            && is_named(model, *of, &["LazyLock", "Lazy"])
            && touches(model, id, step.expr, *of)
        {
            return Some((site(id, step), Vec::new()));
        }
    }
    None
}

fn touches(model: &Model<'_>, id: ItemId, expr: ExprId, of: ItemId) -> bool {
    let function = model.linked().function(id);
    match &function.exprs[expr as usize] {
        Expr::Path(path) => model.linked().resolve(id.0, function.inner, path) == Some(Def::Static(of)),
        _ => false,
    }
}

/// `static X: LazyLock<…> = LazyLock::new(|| … X …)`.
fn lazy_statics(model: &Model<'_>) -> Vec<Draft> {
    let linked = model.linked();
    let mut found = Vec::new();
    for file in 0..linked.files.len() {
        if linked.of_file[file].is_empty() {
            continue;
        }
        for (index, def) in (0..).zip(&linked.facts(file).statics) {
            let of = (file, index);
            let Some(init) = def.init.filter(|_| is_named(model, of, &["LazyLock", "Lazy"])) else {
                continue;
            };
            let place = Place { root: Root::Static(of), path: Vec::new() };
            let steps = model.steps((file, init));
            let all: Vec<&Step> = steps.iter().collect();
            if let Some((again, via)) = comes_back(model, (file, init), &all, &place, 0) {
                found.push(draft(model, (file, init), &place, Site { file, at: def.at }, again, &via));
            }
        }
    }
    found
}

fn draft(model: &Model<'_>, id: ItemId, place: &Place, first: Site, again: Site, via: &[Site]) -> Draft {
    let name = model.types.name_of(id, place, None, 0);
    let certain = matches!(place.root, Root::Static(_)) && place.path.is_empty() && via.is_empty();
    let certainty = if certain { Certainty::Predicted } else { Certainty::Potential };
    let message = format!("the initialiser of `{name}` uses `{name}`: it waits for itself");
    let help = "take what the initialiser needs out of it, or give it a cell of its own";
    Draft::new(certainty, message, help)
        .object("once", &name)
        .at(first, "initialises", format!("`{name}` is initialised here"))
        .through(via)
        .at(again, "wanted", "and asked for again here, before that is done".to_owned())
}
