//! The walk through a function: expressions become [`Expr`]s, what they do becomes [`Op`]s.
//!
//! Temporaries and variables are given their lifetimes here, after the reference's chapter on destructors:
//! which block or statement ends a temporary is decided by syntax alone. What is a guard is not known here.

use syn::{Expr as Syntax, Pat};

use super::Builder;
use crate::source_model::facts::{Closure, Expr, ExprId, Fate, Function, Local, LocalId, Op, Pos, Sym};

/// A function under construction.
pub(super) struct Walk<'a> {
    pub(super) builder: &'a mut Builder,
    pub(super) function: &'a mut Function,
    /// Module of items within the body.
    pub(super) module: u32,
    /// Lists of steps that are open, innermost last.
    open: Vec<Vec<Op>>,
    /// Names in scope, innermost last.
    scope: Vec<(Sym, LocalId)>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(builder: &'a mut Builder, function: &'a mut Function, module: u32) -> Walk<'a> {
        Walk { builder, function, module, open: vec![Vec::new()], scope: Vec::new() }
    }

    pub(super) fn parameters(&mut self, inputs: &syn::punctuated::Punctuated<syn::FnArg, syn::Token![,]>) {
        for input in inputs {
            match input {
                syn::FnArg::Receiver(receiver) => {
                    let name = self.builder.word("self");
                    let ty = self.function.self_type.clone();
                    let mutable = receiver.mutability.is_some() && receiver.reference.is_none();
                    self.declare(Local { name, ty, mutable, ..Local::default() });
                }
                syn::FnArg::Typed(typed) => {
                    let ty = Some(self.builder.ty(&typed.ty));
                    let name = match &*typed.pat {
                        Pat::Ident(ident) => self.builder.ident(&ident.ident),
                        _ => self.builder.word(""),
                    };
                    self.declare(Local { name, ty, ..Local::default() });
                }
            }
        }
        self.function.params = u32::try_from(self.function.locals.len()).unwrap_or(u32::MAX);
    }

    /// The body as a whole: a block whose temporaries end with it.
    pub(super) fn whole_body(&mut self, walk: impl FnOnce(&mut Self)) {
        let ops = self.collect(walk);
        self.open[0] = ops;
    }

    /// Leaves out what nothing comes of.
    pub(super) fn finish(self) {
        let mut open = self.open;
        self.function.body = open.pop().unwrap_or_default();
        super::calls::prune(self.function);
    }

    pub(super) fn value(&mut self, expr: &Syntax) {
        self.expr(expr, Fate::Returned);
    }

    pub(super) fn function_block(&mut self, block: &syn::Block) {
        self.temps(|walk| {
            walk.block(block, Fate::Returned);
        });
    }

    // Steps.

    pub(super) fn push(&mut self, op: Op) {
        self.open.last_mut().expect("one list is always open").push(op);
    }

    /// The steps that `walk` makes.
    pub(super) fn collect(&mut self, walk: impl FnOnce(&mut Self)) -> Vec<Op> {
        self.open.push(Vec::new());
        walk(self);
        self.open.pop().expect("it has just been pushed")
    }

    pub(super) fn temps<T: Default>(&mut self, walk: impl FnOnce(&mut Self) -> T) -> T {
        let mut value = T::default();
        let ops = self.collect(|inner| value = walk(inner));
        if !ops.is_empty() {
            self.push(Op::Temps(ops));
        }
        value
    }

    /// A block: names declared in it are forgotten after it.
    pub(super) fn scope<T: Default>(&mut self, walk: impl FnOnce(&mut Self) -> T) -> T {
        let names = self.scope.len();
        let mut value = T::default();
        let ops = self.collect(|inner| value = walk(inner));
        let ended = self.scope.split_off(names).into_iter().map(|(_, id)| id).collect();
        if !ops.is_empty() {
            self.push(Op::Scope(ended, ops));
        }
        value
    }

    // Expressions and names.

    pub(super) fn add(&mut self, expr: Expr) -> ExprId {
        self.function.exprs.push(expr);
        u32::try_from(self.function.exprs.len() - 1).expect("a function has less expressions than bytes")
    }

    /// A new variable that names refer to from now on.
    pub(super) fn declare(&mut self, local: Local) -> LocalId {
        let id = self.hidden(local);
        self.show(id);
        id
    }

    /// A new variable that no name refers to yet.
    pub(super) fn hidden(&mut self, local: Local) -> LocalId {
        self.function.locals.push(local);
        u32::try_from(self.function.locals.len() - 1).expect("a function has less variables than bytes")
    }

    pub(super) fn show(&mut self, id: LocalId) {
        let name = self.function.locals[id as usize].name;
        self.scope.push((name, id));
    }

    pub(super) fn lookup(&self, name: Sym) -> Option<LocalId> {
        self.scope.iter().rev().find(|(known, _)| *known == name).map(|(_, id)| *id)
    }

    pub(super) fn lookup_text(&self, name: &str) -> Option<LocalId> {
        let name = self.builder.interned.get(name)?;
        self.lookup(*name)
    }

    /// An expression; gives what is known of its value.
    pub(super) fn expr(&mut self, expr: &Syntax, fate: Fate) -> ExprId {
        match expr {
            Syntax::Lit(_) => self.add(Expr::Literal),
            Syntax::Path(path) => self.path_expr(path, fate, false),
            Syntax::Paren(inner) => self.expr(&inner.expr, fate),
            Syntax::Group(inner) => self.expr(&inner.expr, fate),
            Syntax::Reference(reference) => {
                let extends = matches!(fate, Fate::Local(_) | Fate::Extended | Fate::Discarded);
                self.expr(&reference.expr, if extends { Fate::Extended } else { Fate::Temporary })
            }
            Syntax::Unary(unary) => self.unary(unary, fate),
            Syntax::Field(field) => {
                let base = self.expr(&field.base, within(fate));
                let name = match &field.member {
                    syn::Member::Named(ident) => self.builder.ident(ident),
                    syn::Member::Unnamed(index) => self.builder.word(&index.index.to_string()),
                };
                self.add(Expr::Field(base, name))
            }
            Syntax::Index(index) => {
                let base = self.expr(&index.expr, within(fate));
                let at = self.expr(&index.index, Fate::Temporary);
                self.add(Expr::Index(base, at))
            }
            Syntax::Call(call) => self.call(call, fate),
            Syntax::MethodCall(call) => self.method(call, fate),
            Syntax::Macro(call) => self.macro_call(&call.mac, fate),
            Syntax::Try(inner) => {
                let value = self.expr(&inner.expr, fate);
                self.add(Expr::Try(value))
            }
            Syntax::Await(inner) => {
                let value = self.expr(&inner.base, fate);
                self.push(Op::Await(value, super::pos(inner.await_token.span)));
                self.add(Expr::Await(value))
            }
            Syntax::Cast(cast) => self.expr(&cast.expr, Fate::Temporary),
            Syntax::Closure(closure) => self.closure(closure, None),
            Syntax::Async(block) => self.async_block(block, None),
            _ => self.control(expr, fate),
        }
    }

    fn unary(&mut self, unary: &syn::ExprUnary, fate: Fate) -> ExprId {
        if matches!(unary.op, syn::UnOp::Deref(_)) {
            return self.expr(&unary.expr, within(fate));
        }
        let value = self.expr(&unary.expr, Fate::Temporary);
        self.add(Expr::Many(vec![value]))
    }

    /// Expressions that steer, and the rest.
    fn control(&mut self, expr: &Syntax, fate: Fate) -> ExprId {
        match expr {
            Syntax::Block(block) => self.block(&block.block, fate),
            Syntax::Unsafe(block) => self.block(&block.block, fate),
            Syntax::If(branch) => self.branch(branch, fate),
            Syntax::Match(matched) => self.matched(matched, fate),
            Syntax::While(repeated) => self.while_loop(repeated),
            Syntax::ForLoop(repeated) => self.for_loop(repeated),
            Syntax::Loop(repeated) => {
                let body = self.collect(|walk| {
                    walk.temps(|walk| walk.block(&repeated.body, Fate::Temporary));
                });
                self.push(Op::Loop(body));
                self.add(Expr::Unknown)
            }
            Syntax::Assign(assign) => self.assign(assign),
            Syntax::Return(leave) => {
                if let Some(value) = &leave.expr {
                    self.expr(value, Fate::Returned);
                }
                self.push(Op::Leave);
                self.add(Expr::Unknown)
            }
            Syntax::Break(leave) => {
                if let Some(value) = &leave.expr {
                    self.expr(value, Fate::Moved);
                }
                self.push(Op::Break);
                self.add(Expr::Unknown)
            }
            Syntax::Continue(_) => {
                self.push(Op::Leave);
                self.add(Expr::Unknown)
            }
            _ => self.composed(expr, fate),
        }
    }

    /// Expressions that are made of others.
    fn composed(&mut self, expr: &Syntax, fate: Fate) -> ExprId {
        let mut parts = Vec::new();
        match expr {
            Syntax::Binary(binary) => return self.binary(binary),
            Syntax::Let(condition) => return self.expr(&condition.expr, fate),
            Syntax::Tuple(tuple) => {
                for part in &tuple.elems {
                    parts.push(self.expr(part, Fate::Moved));
                }
            }
            Syntax::Array(array) => {
                for part in &array.elems {
                    parts.push(self.expr(part, Fate::Moved));
                }
            }
            Syntax::Repeat(repeat) => parts.push(self.expr(&repeat.expr, Fate::Moved)),
            Syntax::Range(range) => {
                for part in range.start.iter().chain(&range.end) {
                    parts.push(self.expr(part, Fate::Temporary));
                }
            }
            Syntax::Struct(literal) => {
                for field in &literal.fields {
                    parts.push(self.expr(&field.expr, Fate::Moved));
                }
                if let Some(rest) = &literal.rest {
                    parts.push(self.expr(rest, Fate::Temporary));
                }
                let path = self.builder.path(&literal.path);
                return self.add(Expr::Struct(path, parts));
            }
            _ => return self.add(Expr::Unknown),
        }
        self.add(Expr::Many(parts))
    }

    /// `a + b + c…` nests to the left, however long it is: that side is walked in a loop.
    fn binary(&mut self, binary: &syn::ExprBinary) -> ExprId {
        let mut rights = vec![(&binary.op, &*binary.right)];
        let mut left = &*binary.left;
        while let Syntax::Binary(inner) = left {
            rights.push((&inner.op, &inner.right));
            left = &inner.left;
        }
        let writes = rights.last().is_some_and(|(op, _)| is_assignment(op));
        let at = super::pos(left_most_token(&binary.op));
        let mut parts = vec![match left {
            Syntax::Path(path) if writes => self.path_expr(path, Fate::Temporary, true),
            _ if writes => self.written(left, at),
            _ => self.expr(left, Fate::Temporary),
        }];
        for (op, right) in rights.into_iter().rev() {
            if matches!(op, syn::BinOp::And(_) | syn::BinOp::Or(_)) {
                let mut value = 0;
                let ops = self.collect(|walk| value = walk.temps(|walk| walk.expr(right, Fate::Temporary)));
                parts.push(value);
                self.push(Op::Branch(None, vec![ops, Vec::new()]));
            } else {
                parts.push(self.expr(right, Fate::Temporary));
            }
        }
        self.add(Expr::Many(parts))
    }

    pub(super) fn path_expr(&mut self, path: &syn::ExprPath, fate: Fate, write: bool) -> ExprId {
        let segments = &path.path.segments;
        if segments.len() == 1 {
            let name = self.builder.ident(&segments[0].ident);
            if let Some(local) = self.lookup(name) {
                if !matches!(fate, Fate::Temporary | Fate::Extended | Fate::Discarded) {
                    self.push(Op::Move { from: local, fate });
                }
                return self.add(Expr::Local(local));
            }
        }
        let Some(last) = segments.last() else { return self.add(Expr::Unknown) };
        let at = super::pos(last.ident.span());
        let is_static = is_upper_case(&last.ident.to_string());
        let words = self.builder.path(&path.path);
        let expr = self.add(Expr::Path(words));
        if is_static {
            self.push(Op::Touch { expr, at, write });
        }
        expr
    }

    fn assign(&mut self, assign: &syn::ExprAssign) -> ExprId {
        match &*assign.left {
            Syntax::Infer(_) => self.expr(&assign.right, Fate::Discarded),
            Syntax::Path(path) if path.path.get_ident().is_some() => {
                let ident = path.path.get_ident().expect("just seen");
                let name = self.builder.ident(ident);
                if let Some(local) = self.lookup(name) {
                    let mut value = 0;
                    let ops = self.collect(|walk| value = walk.expr(&assign.right, Fate::Local(local)));
                    self.function.locals[local as usize].mutable = true;
                    self.push(Op::Assign(local, ops));
                    return value;
                }
                let value = self.expr(&assign.right, Fate::Moved);
                self.path_expr(path, Fate::Temporary, true);
                value
            }
            left => {
                let value = self.expr(&assign.right, Fate::Moved);
                self.written(left, super::pos(assign.eq_token.span));
                value
            }
        }
    }

    /// What stands to the left of an assignment, which is at `at`.
    fn written(&mut self, left: &Syntax, at: Pos) -> ExprId {
        if let Some(path) = root_path(left)
            && path.path.segments.last().is_some_and(|last| is_upper_case(&last.ident.to_string()))
        {
            return self.path_expr(path, Fate::Temporary, true);
        }
        let expr = self.expr(left, Fate::Temporary);
        if !matches!(left, Syntax::Path(_)) {
            self.push(Op::Touch { expr, at, write: true });
        }
        expr
    }

    pub(super) fn new_closure(&mut self, body: Closure) -> u32 {
        self.function.closures.push(body);
        u32::try_from(self.function.closures.len() - 1).expect("a function has less closures than bytes")
    }

    pub(super) fn names_in_scope(&self) -> usize {
        self.scope.len()
    }

    pub(super) fn forget_names(&mut self, names: usize) {
        self.scope.truncate(names);
    }

    pub(super) fn at_of(ident: &syn::Ident) -> Pos {
        super::pos(ident.span())
    }
}

/// What becomes of `base` in `base.field`, if that has this fate: it lives as long if it is borrowed from.
fn within(fate: Fate) -> Fate {
    if fate == Fate::Extended { Fate::Extended } else { Fate::Temporary }
}

/// The path at the root of `X`, `X.field`, `X[index]` or `*X`.
fn root_path(expr: &Syntax) -> Option<&syn::ExprPath> {
    match expr {
        Syntax::Path(path) => Some(path),
        Syntax::Field(field) => root_path(&field.base),
        Syntax::Index(index) => root_path(&index.expr),
        Syntax::Paren(inner) => root_path(&inner.expr),
        _ => None,
    }
}

fn left_most_token(op: &syn::BinOp) -> proc_macro2::Span {
    use syn::spanned::Spanned as _;
    op.span()
}

fn is_assignment(op: &syn::BinOp) -> bool {
    use syn::BinOp::{
        AddAssign, BitAndAssign, BitOrAssign, BitXorAssign, DivAssign, MulAssign, RemAssign, ShlAssign,
        ShrAssign, SubAssign,
    };
    matches!(
        op,
        AddAssign(_)
            | SubAssign(_)
            | MulAssign(_)
            | DivAssign(_)
            | RemAssign(_)
            | BitAndAssign(_)
            | BitOrAssign(_)
            | BitXorAssign(_)
            | ShlAssign(_)
            | ShrAssign(_)
    )
}

pub(super) fn is_upper_case(name: &str) -> bool {
    name.len() > 1
        && name.chars().all(|letter| letter.is_uppercase() || letter.is_ascii_digit() || letter == '_')
}
