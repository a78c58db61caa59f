//! Types of other crates that are known by name: which of them stand for what is in them, and how they wait.

use super::types::{Flavor, Ty};

/// Types that stand for what is in them.
pub(super) const SEEN_THROUGH: [&str; 14] = [
    "Arc",
    "Rc",
    "Box",
    "Pin",
    "ManuallyDrop",
    "CachePadded",
    "Cow",
    "Ref",
    "RefMut",
    "NonNull",
    "AssertUnwindSafe",
    "Lazy",
    "LazyLock",
    "Weak",
];

/// Crates whose locks and channels block a thread.
const BLOCKING: [&str; 22] = [
    "std",
    "core",
    "alloc",
    "parking_lot",
    "lock_api",
    "spin",
    "loom",
    "shuttle",
    "antidote",
    "crossbeam",
    "crossbeam_utils",
    "crossbeam_channel",
    "crossbeam_queue",
    "once_cell",
    "lazy_static",
    "portable_atomic",
    "dashmap",
    "no_deadlocks",
    "tracing_mutex",
    "flume",
    "rayon",
    "nix",
];
/// Crates whose locks and channels suspend a task.
const ASYNC: [&str; 9] = [
    "tokio",
    "async_std",
    "async_lock",
    "futures",
    "futures_util",
    "futures_channel",
    "smol",
    "async_channel",
    "futures_lite",
];

pub(super) fn join_handle() -> Ty {
    Ty::External("JoinHandle".to_owned(), Flavor::Blocking, Vec::new())
}

pub(super) fn channel(path: &[String]) -> Ty {
    let flavor = flavor(path).unwrap_or(Flavor::Blocking);
    let end = |name: &str| Ty::External(name.to_owned(), flavor, Vec::new());
    Ty::Tuple(vec![end("Sender"), end("Receiver")])
}

fn flavor(path: &[String]) -> Option<Flavor> {
    let root = path.first()?.as_str();
    if BLOCKING.contains(&root) {
        Some(Flavor::Blocking)
    } else if ASYNC.contains(&root) {
        Some(Flavor::Async)
    } else {
        None
    }
}

/// A type of another crate's. Only those of crates that are known count.
pub(super) fn external(path: &[String], args: Vec<Ty>) -> Ty {
    let Some(last) = path.last() else { return Ty::Unknown };
    match flavor(path) {
        Some(flavor) => Ty::External(last.clone(), flavor, args),
        None if path.len() == 1 => match last.as_str() {
            // The prelude.
            "Option" | "Result" | "Vec" | "Box" => Ty::External(last.clone(), Flavor::Blocking, args),
            name => Ty::Named(name.to_owned()),
        },
        None => Ty::Unknown,
    }
}

/// What a value of this type gives methods and fields of.
#[must_use]
pub fn see_through(ty: Ty) -> Ty {
    match ty {
        Ty::External(name, _, mut args) if SEEN_THROUGH.contains(&name.as_str()) && !args.is_empty() => {
            see_through(args.swap_remove(0))
        }
        other => other,
    }
}

/// What is in an `Option` or `Result`; anything else is itself.
pub(super) fn unwrapped(ty: Ty) -> Ty {
    match ty {
        Ty::External(name, _, mut args)
            if matches!(
                name.as_str(),
                "Option" | "Result" | "LockResult" | "OnceLock" | "OnceCell" | "TryLockResult"
            ) && !args.is_empty() =>
        {
            see_through(args.swap_remove(0))
        }
        other => other,
    }
}

/// What is in a map or list.
pub(super) fn element_of_map(ty: Ty) -> Ty {
    match &ty {
        Ty::External(name, ..) if name.ends_with("Map") || matches!(name.as_str(), "Vec" | "VecDeque") => {
            element(ty)
        }
        Ty::Slice(_) => element(ty),
        _ => ty,
    }
}

pub(super) fn element(ty: Ty) -> Ty {
    match ty {
        Ty::Slice(inner) => see_through(*inner),
        Ty::External(name, _, mut args) => match name.as_str() {
            "Vec" | "VecDeque" | "HashSet" | "BTreeSet" | "Option" if !args.is_empty() => {
                see_through(args.swap_remove(0))
            }
            "HashMap" | "BTreeMap" if args.len() > 1 => see_through(args.swap_remove(1)),
            _ => Ty::Unknown,
        },
        _ => Ty::Unknown,
    }
}
