//! Atomic operations among a function's steps: what the rules about atomics share.

use crate::source_model::facts::{Expr, ExprId};
use crate::source_model::flow::{Step, What};
use crate::source_model::link::ItemId;
use crate::source_model::model::Model;
use crate::source_model::places::Place;

/// An operation on an atomic.
pub(super) struct Operation<'a> {
    /// The atomic.
    pub(super) place: Place,
    /// The atomic as an expression.
    pub(super) receiver: ExprId,
    /// The method.
    pub(super) method: &'a str,
    /// Its arguments.
    pub(super) args: &'a [ExprId],
    /// The type: `AtomicBool`…
    pub(super) ty: String,
}

/// The operation that a step is, if its object is known to be an atomic.
pub(super) fn operation<'a>(model: &Model<'a>, id: ItemId, step: &Step) -> Option<Operation<'a>> {
    if !matches!(step.what, What::Other) {
        return None;
    }
    let (receiver, method, args) = model.method_call(id, step.expr)?;
    let is_operation = matches!(
        method,
        "load" | "store" | "swap" | "compare_exchange" | "compare_exchange_weak" | "fetch_update"
    ) || method.starts_with("fetch_");
    if !is_operation {
        return None;
    }
    let ty = model.types.of(id, receiver).external()?.to_owned();
    ty.starts_with("Atomic").then(|| Operation {
        place: model.types.place(id, receiver),
        receiver,
        method,
        args,
        ty,
    })
}

/// Whether a step writes to an atomic.
pub(super) fn is_write(model: &Model<'_>, id: ItemId, step: &Step) -> bool {
    operation(model, id, step).is_some_and(|operation| operation.method != "load")
}

/// Whether the value of an expression depends on another's, through variables of the function.
pub(super) fn depends(model: &Model<'_>, id: ItemId, expr: ExprId, on: ExprId, depth: u32) -> bool {
    let function = model.linked().function(id);
    if depth > 10 {
        return false;
    }
    let inner = |expr: ExprId| depends(model, id, expr, on, depth + 1);
    match &function.exprs[expr as usize] {
        _ if expr == on => true,
        Expr::Local(local) => {
            let local = &function.locals[*local as usize];
            local.init.or(local.part_of).is_some_and(inner)
        }
        Expr::Field(base, _) | Expr::Await(base) | Expr::Try(base) => inner(*base),
        Expr::Index(base, at) => inner(*base) || inner(*at),
        Expr::Call(_, args) => args.iter().any(|&arg| inner(arg)),
        Expr::Method(base, _, args) => inner(*base) || args.iter().any(|&arg| inner(arg)),
        Expr::Many(parts) | Expr::Struct(_, parts) => parts.iter().any(|&part| inner(part)),
        _ => false,
    }
}

/// Whether an ordering is written as `Relaxed`.
pub(super) fn is_relaxed(model: &Model<'_>, id: ItemId, expr: ExprId) -> bool {
    match &model.linked().function(id).exprs[expr as usize] {
        Expr::Path(path) => {
            path.last().is_some_and(|&last| model.linked().facts(id.0).name(last) == "Relaxed")
        }
        _ => false,
    }
}
