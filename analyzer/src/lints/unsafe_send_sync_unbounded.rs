//! `unsafe_send_sync_unbounded`: `unsafe impl<T> Send for X<T>` asks nothing of the `T` that `X` holds.
//!
//! Then anything can be sent to or shared with other threads by wrapping it: an `Rc`, a `Cell`. Dozens of RustSec
//! advisories are of this kind. Reported for a parameter that a field holds as a value: itself, or in a `Box`,
//! `Option`, `Vec`, `UnsafeCell`, an array, a tuple, or another such type of the package's. Not for one that
//! is behind a raw pointer or a `PhantomData` only, nor if any bound on it may imply `Send` or `Sync`.
//!
//! Source: Bae et al., Rudra, SOSP 2021.

use crate::finding::Certainty;
use crate::lints::{Draft, Lint};
use crate::source_model::facts::{Type, UnsafeImpl};
use crate::source_model::link::{Def, ItemId, Site};
use crate::source_model::model::Model;

pub(super) struct UnsafeSendSyncUnbounded;

impl Lint for UnsafeSendSyncUnbounded {
    fn id(&self) -> &'static str {
        "unsafe_send_sync_unbounded"
    }

    fn check(&self, model: &Model<'_>) -> Vec<Draft> {
        let linked = model.linked();
        let mut found = Vec::new();
        for file in 0..linked.files.len() {
            if linked.of_file[file].is_empty() {
                continue;
            }
            for given in &linked.facts(file).unsafe_impls {
                if !linked.modules[linked.module(file, given.module)].test {
                    found.extend(check(model, file, given));
                }
            }
        }
        found
    }
}

fn check(model: &Model<'_>, file: usize, given: &UnsafeImpl) -> Option<Draft> {
    let linked = model.linked();
    let Type::Path(path, args) = &given.of else { return None };
    let Some(Def::Type(of)) = linked.resolve(file, given.module, path) else { return None };
    let def = linked.type_def(of);
    let facts = linked.facts(file);
    let unbounded = given.params.iter().filter(|(_, bounded)| !bounded).find_map(|(param, _)| {
        let at = args.iter().position(|arg| matches!(arg, Type::Path(path, _) if path[..] == [*param]))?;
        let inner = *def.generics.get(at)?;
        // A bound where the type is declared holds here as well.
        if def.bounded.contains(&inner) {
            return None;
        }
        let field =
            def.fields.iter().find(|(_, ty)| holds(model, of, ty, linked.facts(of.0).name(inner), 0))?;
        Some((*param, field.0))
    });
    let (param, field) = unbounded?;
    let (trait_, name) = (if given.send { "Send" } else { "Sync" }, linked.facts(of.0).name(def.name));
    let (param, field) = (facts.name(param), linked.facts(of.0).name(field));
    let message = format!("`{name}` is `{trait_}` whatever `{param}` is, although `{field}` holds one");
    let help = "bound the parameter: `unsafe impl<T: Send> Send`; for `Sync` mostly `T: Send + Sync`";
    Some(
        Draft::new(Certainty::Potential, message, help)
            .object("type", name)
            .at(Site { file, at: given.at }, "declared", format!("nothing is asked of `{param}` here"))
            .at(Site { file: of.0, at: def.at }, "type", format!("`{name}` holds a `{param}` in `{field}`")),
    )
}

/// Types that hold their parameter as a value.
const HOLDERS: [&str; 12] = [
    "Box",
    "Option",
    "Vec",
    "UnsafeCell",
    "Cell",
    "RefCell",
    "ManuallyDrop",
    "MaybeUninit",
    "VecDeque",
    "Result",
    "CachePadded",
    "SyncUnsafeCell",
];

/// Whether a type holds a parameter as a value.
fn holds(model: &Model<'_>, of: ItemId, ty: &Type, param: &str, depth: u32) -> bool {
    if depth > 6 {
        return false;
    }
    let linked = model.linked();
    let facts = linked.facts(of.0);
    match ty {
        Type::Path(path, args) => {
            let last = path.last().map_or("", |&last| facts.name(last));
            if path.len() == 1 && last == param {
                return true;
            }
            if HOLDERS.contains(&last) {
                return args.iter().any(|arg| holds(model, of, arg, param, depth + 1));
            }
            match linked.resolve(of.0, linked.type_def(of).module, path) {
                Some(Def::Type(inner)) if inner != of => args.iter().enumerate().any(|(at, arg)| {
                    let def = linked.type_def(inner);
                    let Some(&name) = def.generics.get(at) else { return false };
                    let name = linked.facts(inner.0).name(name);
                    holds(model, of, arg, param, depth + 1)
                        && def.fields.iter().any(|(_, field)| holds(model, inner, field, name, depth + 1))
                }),
                _ => false,
            }
        }
        Type::Tuple(parts) => parts.iter().any(|part| holds(model, of, part, param, depth + 1)),
        Type::Slice(inner) => holds(model, of, inner, param, depth + 1),
        _ => false,
    }
}
