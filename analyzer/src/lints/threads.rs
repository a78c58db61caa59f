//! Where threads are started: what the rules about threads share.

use crate::source_model::facts::Expr;
use crate::source_model::flow::{Step, What};
use crate::source_model::link::ItemId;
use crate::source_model::model::Model;

/// Whether a step starts a thread: `thread::spawn`, `Builder::spawn`, `scope.spawn`.
pub(super) fn starts_thread(model: &Model<'_>, id: ItemId, step: &Step) -> bool {
    if !matches!(step.what, What::Other) {
        return false;
    }
    if let Some(path) = model.external_call(id, step.expr) {
        return matches!(path.as_str(), "std::thread::spawn" | "rayon::spawn" | "libc::pthread_create");
    }
    let call = model.method_call(id, step.expr);
    call.is_some_and(|(receiver, method, args)| {
        let function = model.linked().function(id);
        let closure = args.iter().find_map(|&arg| match function.exprs[arg as usize] {
            Expr::Closure(closure) => Some(closure),
            _ => None,
        });
        let is_thread = closure.is_none_or(|closure| !function.closures[closure as usize].is_async);
        let is_builder = matches!(model.types.of(id, receiver).external(), Some("Builder" | "Scope"));
        method == "spawn" && is_thread && (is_builder || in_scope(model, id, step))
    })
}

/// Whether it is within the closure of `thread::scope`.
fn in_scope(model: &Model<'_>, id: ItemId, step: &Step) -> bool {
    let steps = model.steps(id);
    step.closure.is_some_and(|closure| {
        steps.iter().any(|other| {
            let scoped = matches!(
                model.external_call(id, other.expr).as_deref(),
                Some("std::thread::scope" | "crossbeam::scope" | "crossbeam::thread::scope" | "rayon::scope")
            );
            scoped && matches!(&model.linked().function(id).exprs[other.expr as usize], Expr::Call(_, args)
                if args.iter().any(|&arg| matches!(model.linked().function(id).exprs[arg as usize], Expr::Closure(own) if own == closure)))
        })
    })
}

/// The closure that a step which starts a thread hands to it.
pub(super) fn body(model: &Model<'_>, id: ItemId, step: &Step) -> Option<u32> {
    let function = model.linked().function(id);
    let args = match &function.exprs[step.expr as usize] {
        Expr::Call(_, args) | Expr::Method(_, _, args) => args,
        _ => return None,
    };
    args.iter().find_map(|&arg| match function.exprs[arg as usize] {
        Expr::Closure(closure) => Some(closure),
        _ => None,
    })
}
