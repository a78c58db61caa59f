//! Blocks, statements and patterns.

use syn::{Pat, Stmt};

use super::body::Walk;
use super::{Condition, Edition, condition};
use crate::source_model::facts::{Expr, ExprId, Fate, Local, LocalId, Op};

impl Walk<'_> {
    /// A block; gives its value.
    pub(super) fn block(&mut self, block: &syn::Block, fate: Fate) -> ExprId {
        for stmt in &block.stmts {
            if let Stmt::Item(item) = stmt {
                let module = self.module;
                self.builder.item(item, module);
            }
        }
        let value = self.scope(|walk| {
            let mut value = None;
            for (at, stmt) in block.stmts.iter().enumerate() {
                let is_last = at + 1 == block.stmts.len();
                value = walk.statement(stmt, if is_last { Some(fate) } else { None });
            }
            value
        });
        value.unwrap_or_else(|| self.add(Expr::Unknown))
    }

    /// A statement; `fate` is that of the block's value if it is the last one.
    fn statement(&mut self, stmt: &Stmt, fate: Option<Fate>) -> Option<ExprId> {
        match stmt {
            Stmt::Item(_) => None,
            Stmt::Local(local) => {
                if condition(&local.attrs) == Condition::None {
                    self.let_statement(local);
                } else {
                    self.unknown_names(&local.pat);
                }
                None
            }
            Stmt::Expr(expr, Some(_)) => {
                if conditional(expr) {
                    return None;
                }
                self.temps(|walk| walk.expr(expr, Fate::Unused));
                None
            }
            Stmt::Expr(expr, None) => {
                if conditional(expr) {
                    return None;
                }
                match fate {
                    None => {
                        self.temps(|walk| walk.expr(expr, Fate::Unused));
                        None
                    }
                    Some(fate) if self.builder.edition >= Edition::Year2024 => {
                        Some(self.temps(|walk| walk.expr(expr, fate)))
                    }
                    // Its temporaries outlive the block's variables.
                    Some(fate) => Some(self.expr(expr, fate)),
                }
            }
            Stmt::Macro(call) => {
                if condition(&call.attrs) == Condition::Other {
                    return None;
                }
                let value = self.temps(|walk| walk.macro_call(&call.mac, fate.unwrap_or(Fate::Unused)));
                call.semi_token.is_none().then_some(value)
            }
        }
    }

    fn let_statement(&mut self, local: &syn::Local) {
        let (pattern, ty) = match &local.pat {
            Pat::Type(typed) => (&*typed.pat, Some(self.builder.ty(&typed.ty))),
            pattern => (pattern, None),
        };
        let Some(init) = &local.init else {
            self.unknown_names(pattern);
            return;
        };
        if let Pat::Ident(ident) = pattern
            && ident.subpat.is_none()
            && init.diverge.is_none()
        {
            let name = self.builder.ident(&ident.ident);
            let id = self.hidden(Local { name, ty, mutable: ident.mutability.is_some(), ..Local::default() });
            let fate = if ident.by_ref.is_some() { Fate::Extended } else { Fate::Local(id) };
            let value = self.temps(|walk| walk.expr(&init.expr, fate));
            self.function.locals[id as usize].init = Some(value);
            self.show(id);
            return;
        }
        let ops = self.collect(|walk| walk.destructure(pattern, init));
        self.push(Op::Temps(ops));
    }

    /// `let pattern = …` and `let pattern = … else { … }`.
    fn destructure(&mut self, pattern: &Pat, init: &syn::LocalInit) {
        if let (Pat::Tuple(names), syn::Expr::Tuple(values)) = (pattern, &*init.expr)
            && names.elems.len() == values.elems.len()
        {
            for (name, value) in names.elems.iter().zip(&values.elems) {
                let part =
                    syn::LocalInit { eq_token: init.eq_token, expr: Box::new(value.clone()), diverge: None };
                match name {
                    Pat::Ident(ident) => {
                        let name = self.builder.ident(&ident.ident);
                        let id = self.hidden(Local { name, ..Local::default() });
                        let value = self.expr(value, Fate::Local(id));
                        self.function.locals[id as usize].init = Some(value);
                        self.show(id);
                    }
                    _ => self.destructure(name, &part),
                }
            }
            return;
        }
        let names = self.names_of(pattern);
        let fate = match (&names[..], pattern) {
            (_, Pat::Wild(_)) => Fate::Discarded,
            ([], _) => Fate::Temporary,
            ([first, ..], _) => Fate::Local(*first),
        };
        let value = self.expr(&init.expr, fate);
        if let Some((_, diverge)) = &init.diverge {
            let ops = self.collect(|walk| {
                walk.push(Op::Refuted(value));
                walk.expr(diverge, Fate::Temporary);
                walk.push(Op::Leave);
            });
            self.push(Op::Branch(None, vec![ops, Vec::new()]));
        }
        for id in names {
            self.function.locals[id as usize].part_of = Some(value);
            self.show(id);
        }
    }

    /// New variables for the names of a pattern, not in scope yet.
    pub(super) fn names_of(&mut self, pattern: &Pat) -> Vec<LocalId> {
        let mut found = Vec::new();
        self.collect_names(pattern, None, &mut found);
        found
    }

    fn collect_names(&mut self, pattern: &Pat, variant: Option<u32>, found: &mut Vec<LocalId>) {
        match pattern {
            Pat::Ident(ident) => {
                // `None` and constants look like names.
                let text = ident.ident.to_string();
                if !text.starts_with(char::is_uppercase) {
                    let name = self.builder.ident(&ident.ident);
                    let mutable = ident.mutability.is_some();
                    found.push(self.hidden(Local { name, mutable, variant, ..Local::default() }));
                }
                if let Some((_, inner)) = &ident.subpat {
                    self.collect_names(inner, variant, found);
                }
            }
            Pat::TupleStruct(inner) => {
                let name = inner.path.segments.last().map(|last| self.builder.ident(&last.ident));
                let variant = if inner.elems.len() == 1 { name } else { Some(self.builder.word("?")) };
                inner.elems.iter().for_each(|elem| self.collect_names(elem, variant, found));
            }
            Pat::Tuple(inner) => {
                let variant = Some(self.builder.word("?"));
                inner.elems.iter().for_each(|elem| self.collect_names(elem, variant, found));
            }
            Pat::Struct(inner) => {
                let variant = Some(self.builder.word("?"));
                inner.fields.iter().for_each(|field| self.collect_names(&field.pat, variant, found));
            }
            Pat::Slice(inner) => inner.elems.iter().for_each(|elem| self.collect_names(elem, variant, found)),
            Pat::Or(inner) => inner.cases.iter().for_each(|case| self.collect_names(case, variant, found)),
            Pat::Reference(inner) => self.collect_names(&inner.pat, variant, found),
            Pat::Paren(inner) => self.collect_names(&inner.pat, variant, found),
            Pat::Type(inner) => self.collect_names(&inner.pat, variant, found),
            _ => {}
        }
    }

    /// Names of which nothing is known.
    pub(super) fn unknown_names(&mut self, pattern: &Pat) {
        for id in self.names_of(pattern) {
            let unknown = self.add(Expr::Unknown);
            let local = &mut self.function.locals[id as usize];
            (local.part_of, local.mutable) = (Some(unknown), true);
            self.show(id);
        }
    }

    /// Names of a pattern that a value has matched.
    pub(super) fn bind(&mut self, pattern: &Pat, value: ExprId) {
        for id in self.names_of(pattern) {
            self.function.locals[id as usize].part_of = Some(value);
            self.show(id);
            self.push(Op::Part { local: id, of: value });
        }
    }
}

/// Whether a statement is compiled under some conditions only.
fn conditional(expr: &syn::Expr) -> bool {
    let attributes = match expr {
        syn::Expr::Block(block) => &block.attrs,
        syn::Expr::Unsafe(block) => &block.attrs,
        syn::Expr::If(branch) => &branch.attrs,
        syn::Expr::Call(call) => &call.attrs,
        syn::Expr::MethodCall(call) => &call.attrs,
        syn::Expr::Assign(assign) => &assign.attrs,
        syn::Expr::Match(matched) => &matched.attrs,
        syn::Expr::Macro(call) => &call.attrs,
        syn::Expr::Return(leave) => &leave.attrs,
        _ => return false,
    };
    condition(attributes) == Condition::Other
}
