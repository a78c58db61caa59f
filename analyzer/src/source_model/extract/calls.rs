//! Calls, closures and macro calls; and what of a function's steps is worth keeping.

use syn::Expr as Syntax;

use super::body::Walk;
use super::macros::{self, Contents};
use super::statements_of;
use crate::source_model::facts::{Closure, Expr, ExprId, Fate, Function, Local, Op, Sym};

/// Methods that give back their receiver, or what is in it: what becomes of a guard goes through them.
const PASS_ON: [&str; 14] = [
    "unwrap",
    "expect",
    "unwrap_or_else",
    "unwrap_unchecked",
    "into_inner",
    "map_err",
    "ok",
    "into",
    "unwrap_or_default",
    "or_else",
    "context",
    "with_context",
    "ok_or",
    "ok_or_else",
];

/// Methods of std's that are called everywhere and do nothing of interest.
const DULL: [&str; 60] = [
    "clone",
    "unwrap",
    "expect",
    "into",
    "iter",
    "iter_mut",
    "into_iter",
    "as_ref",
    "as_mut",
    "to_string",
    "to_owned",
    "as_str",
    "as_bytes",
    "as_slice",
    "collect",
    "ok",
    "err",
    "map_err",
    "is_some",
    "is_none",
    "is_ok",
    "is_err",
    "unwrap_or",
    "unwrap_or_default",
    "as_deref",
    "as_ptr",
    "as_mut_ptr",
    "cloned",
    "copied",
    "enumerate",
    "rev",
    "zip",
    "chain",
    "skip",
    "min",
    "max",
    "cmp",
    "eq",
    "ne",
    "partial_cmp",
    "to_vec",
    "try_into",
    "trim",
    "split",
    "parse",
    "bytes",
    "chars",
    "starts_with",
    "ends_with",
    "borrow",
    "to_le_bytes",
    "to_be_bytes",
    "wrapping_add",
    "wrapping_sub",
    "saturating_sub",
    "checked_add",
    "cast",
    "fmt",
    "field",
    "finish",
];

/// Macros after which nothing follows.
const LEAVING: [&str; 6] = ["panic", "unreachable", "todo", "unimplemented", "bail", "compile_error"];

impl Walk<'_> {
    pub(super) fn call(&mut self, call: &syn::ExprCall, fate: Fate) -> ExprId {
        let name = match &*call.func {
            Syntax::Path(path) => path.path.segments.last().map(|last| &last.ident),
            _ => None,
        };
        let callee = self.expr(&call.func, Fate::Temporary);
        let Some(name) = name else {
            let args = self.arguments(&call.args, Fate::Moved, None);
            return self.add(Expr::Call(callee, args));
        };
        let text = name.to_string();
        // What is in a `Some` of a variable can be taken out of it again, unseen.
        let wraps = call.args.len() == 1 && (text == "Ok" || text == "Some" && fate == Fate::Returned);
        let word = self.builder.ident(name);
        let args = self.arguments(&call.args, if wraps { fate } else { Fate::Moved }, Some(word));
        let expr = self.add(Expr::Call(callee, args));
        if !text.starts_with(char::is_uppercase) {
            let at = Walk::at_of(first_of(&call.func).unwrap_or(name));
            self.push(Op::Call { expr, at, fate });
        }
        expr
    }

    pub(super) fn method(&mut self, call: &syn::ExprMethodCall, fate: Fate) -> ExprId {
        let text = call.method.to_string();
        let passes = PASS_ON.contains(&text.as_str());
        let receiver = self.expr(&call.receiver, if passes { fate } else { Fate::Temporary });
        let name = self.builder.ident(&call.method);
        let args = self.arguments(&call.args, Fate::Moved, Some(name));
        let dull = DULL.contains(&text.as_str());
        let expr = self.add(Expr::Method(receiver, name, args));
        if !dull {
            self.push(Op::Call { expr, at: Walk::at_of(&call.method), fate });
        }
        expr
    }

    fn arguments(
        &mut self,
        args: &syn::punctuated::Punctuated<Syntax, syn::Token![,]>,
        fate: Fate,
        to: Option<Sym>,
    ) -> Vec<ExprId> {
        let mut values = Vec::new();
        for arg in args {
            values.push(match arg {
                Syntax::Closure(closure) => self.closure(closure, to),
                Syntax::Async(block) => self.async_block(block, to),
                other => self.expr(other, fate),
            });
        }
        values
    }

    pub(super) fn closure(&mut self, closure: &syn::ExprClosure, to: Option<Sym>) -> ExprId {
        let mut made = Closure { at: super::pos(closure.or1_token.spans[0]), ..Closure::default() };
        let names = self.names_in_scope();
        for input in &closure.inputs {
            let before = self.function.locals.len();
            match input {
                syn::Pat::Type(typed) if matches!(&*typed.pat, syn::Pat::Ident(_)) => {
                    let ty = Some(self.builder.ty(&typed.ty));
                    if let syn::Pat::Ident(ident) = &*typed.pat {
                        let name = self.builder.ident(&ident.ident);
                        self.declare(Local { name, ty, ..Local::default() });
                    }
                }
                other => self.unknown_names(other),
            }
            made.params.extend((before..self.function.locals.len()).filter_map(|id| u32::try_from(id).ok()));
        }
        made.is_async = closure.asyncness.is_some();
        let mut value = 0;
        made.body = self.collect(|walk| value = walk.temps(|walk| walk.expr(&closure.body, Fate::Returned)));
        made.value = value;
        self.forget_names(names);
        self.finish_closure(made, closure.capture.is_some(), to)
    }

    pub(super) fn async_block(&mut self, block: &syn::ExprAsync, to: Option<Sym>) -> ExprId {
        let mut made =
            Closure { is_async: true, at: super::pos(block.async_token.span), ..Closure::default() };
        let mut value = 0;
        made.body = self.collect(|walk| value = walk.temps(|walk| walk.block(&block.block, Fate::Returned)));
        made.value = value;
        self.finish_closure(made, block.capture.is_some(), to)
    }

    fn finish_closure(&mut self, made: Closure, moves: bool, to: Option<Sym>) -> ExprId {
        let is_dull = made.body.is_empty();
        let id = self.new_closure(made);
        if !is_dull {
            self.push(Op::Closure { id, to });
        }
        if moves {
            self.captured(id);
        }
        self.add(Expr::Closure(id))
    }

    /// A closure that moves what it mentions takes guards with it.
    fn captured(&mut self, id: u32) {
        let mut mentioned = Vec::new();
        let own_from = self.function.closures[id as usize].params.first().copied().unwrap_or(u32::MAX);
        mentioned_locals(&self.function.closures[id as usize].body, self.function, &mut mentioned);
        mentioned.sort_unstable();
        mentioned.dedup();
        for local in mentioned.into_iter().filter(|&local| local < own_from) {
            self.push(Op::Move { from: local, fate: Fate::Moved });
        }
    }

    pub(super) fn macro_call(&mut self, call: &syn::Macro, fate: Fate) -> ExprId {
        let name = call.path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default();
        let value = match macros::contents(call) {
            Contents::Expressions(list) => {
                let mut parts = Vec::new();
                for expr in &list {
                    parts.push(self.expr(expr, Fate::Temporary));
                }
                self.add(Expr::Many(parts))
            }
            Contents::Statements(statements) => {
                let block = statements_of(statements);
                let ops = self.collect(|walk| {
                    walk.block(&block, fate);
                });
                self.push(Op::Branch(None, vec![ops, Vec::new()]));
                self.add(Expr::Unknown)
            }
            Contents::Opaque(names) => {
                for name in names {
                    if let Some(from) = self.lookup_text(&name) {
                        self.push(Op::Move { from, fate: Fate::Moved });
                    }
                }
                self.add(Expr::Unknown)
            }
        };
        if LEAVING.contains(&name.as_str()) {
            self.push(Op::Leave);
        }
        value
    }
}

/// The first name of a path.
fn first_of(func: &Syntax) -> Option<&syn::Ident> {
    match func {
        Syntax::Path(path) => path.path.segments.first().map(|first| &first.ident),
        _ => None,
    }
}

/// Variables that steps mention as a whole or in part.
fn mentioned_locals(ops: &[Op], function: &Function, found: &mut Vec<u32>) {
    for op in ops {
        match op {
            Op::Scope(_, inner) | Op::Temps(inner) | Op::Loop(inner) => {
                mentioned_locals(inner, function, found)
            }
            Op::Assign(local, inner) => {
                found.push(*local);
                mentioned_locals(inner, function, found);
            }
            Op::Branch(_, ways) => ways.iter().for_each(|way| mentioned_locals(way, function, found)),
            Op::Move { from, .. } => found.push(*from),
            Op::Call { expr, .. } | Op::Await(expr, _) => locals_in(*expr, function, found, 0),
            Op::Closure { id, .. } => {
                mentioned_locals(&function.closures[*id as usize].body, function, found)
            }
            Op::Part { of, .. } => locals_in(*of, function, found, 0),
            _ => {}
        }
    }
}

fn locals_in(expr: ExprId, function: &Function, found: &mut Vec<u32>, depth: u32) {
    if depth > 8 {
        return;
    }
    match &function.exprs[expr as usize] {
        Expr::Local(local) => found.push(*local),
        Expr::Field(base, _) | Expr::Index(base, _) | Expr::Await(base) | Expr::Try(base) => {
            locals_in(*base, function, found, depth + 1);
        }
        Expr::Method(base, _, args) | Expr::Call(base, args) => {
            locals_in(*base, function, found, depth + 1);
            args.iter().for_each(|arg| locals_in(*arg, function, found, depth + 1));
        }
        Expr::Many(parts) | Expr::Struct(_, parts) => {
            parts.iter().for_each(|part| locals_in(*part, function, found, depth + 1));
        }
        _ => {}
    }
}

/// Leaves out steps of which nothing comes, and expressions that no step and no variable needs.
pub(super) fn prune(function: &mut Function) {
    prune_ops(&mut function.body);
    for closure in &mut function.closures {
        prune_ops(&mut closure.body);
    }
    let has_calls = function.body.iter().any(does_something)
        || function.closures.iter().any(|closure| closure.body.iter().any(does_something));
    if !has_calls {
        function.body.clear();
        function.closures.clear();
        function.exprs.clear();
        function.locals.truncate(function.params as usize);
    }
}

fn prune_ops(ops: &mut Vec<Op>) {
    for op in ops.iter_mut() {
        match op {
            Op::Scope(_, inner) | Op::Temps(inner) | Op::Loop(inner) | Op::Assign(_, inner) => {
                prune_ops(inner)
            }
            Op::Branch(_, ways) => ways.iter_mut().for_each(prune_ops),
            _ => {}
        }
    }
    ops.retain(|op| match op {
        Op::Scope(_, inner) | Op::Temps(inner) | Op::Loop(inner) => !inner.is_empty(),
        Op::Branch(_, ways) => ways.iter().any(|way| !way.is_empty()),
        _ => true,
    });
}

fn does_something(op: &Op) -> bool {
    match op {
        Op::Scope(_, inner) | Op::Temps(inner) | Op::Loop(inner) | Op::Assign(_, inner) => {
            inner.iter().any(does_something)
        }
        Op::Branch(_, ways) => ways.iter().flatten().any(does_something),
        Op::Call { .. } | Op::Await(..) | Op::Touch { .. } | Op::Closure { .. } => true,
        _ => false,
    }
}
