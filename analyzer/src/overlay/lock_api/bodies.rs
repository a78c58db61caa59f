//! What is looked for in the bodies of `lock_api`'s functions.

use proc_macro2::Span;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Expr, ExprMacro, ExprMethodCall, ImplItemFn, Member};

use super::{KNOWN, Rewriter, WITH_PLACE};
use crate::overlay::Unknown;
use crate::overlay::edits::Edits;

/// Whether the function reaches for the protected data by itself.
pub(super) fn mentions_data(function: &ImplItemFn) -> bool {
    struct Data(bool);
    impl<'ast> Visit<'ast> for Data {
        fn visit_expr_field(&mut self, field: &'ast syn::ExprField) {
            self.0 |= matches!(&field.member, Member::Named(name) if name == "data");
            visit::visit_expr_field(self, field);
        }
    }
    let mut data = Data(false);
    data.visit_block(&function.block);
    data.0
}

/// Takes the raw lock out of the traced one where a lock is taken to pieces.
pub(super) struct IntoParts<'a> {
    pub(super) edits: &'a mut Edits,
    /// The fields from `self` to the traced lock.
    pub(super) path: Vec<&'a str>,
}

impl<'ast> Visit<'ast> for IntoParts<'_> {
    fn visit_expr_field(&mut self, field: &'ast syn::ExprField) {
        let mut expression: &Expr = &Expr::Field(field.clone());
        let mut reversed = Vec::new();
        while let Expr::Field(part) = expression {
            if let Member::Named(name) = &part.member {
                reversed.push(name.to_string());
            }
            expression = &part.base;
        }
        if reversed.iter().rev().eq(self.path.iter()) {
            self.edits.after(field.span(), ".into_raw()");
        }
    }
}

/// Wraps the raw lock in literals of structs that own one.
pub(super) struct Literals<'a, 'b> {
    pub(super) rewriter: &'a mut Rewriter<'b>,
    pub(super) own: &'a str,
}

impl<'ast> Visit<'ast> for Literals<'_, '_> {
    fn visit_expr_struct(&mut self, literal: &'ast syn::ExprStruct) {
        let name = literal.path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default();
        let name = if name == "Self" { self.own } else { &name };
        if let Some(owned) = self.rewriter.types.owners.get(name) {
            // Its guard gives shared access only, so that writes go unseen.
            let new = if name == "RawReentrantMutex" { "with_unseen_writes" } else { "new" };
            for field in &literal.fields {
                if !matches!(&field.member, Member::Named(member) if member == owned) {
                    continue;
                }
                let label = if field.colon_token.is_none() { format!("{owned}: ") } else { String::new() };
                self.rewriter
                    .edits
                    .before(field.expr.span(), format!("{label}crate::__snag::Traced::{new}("));
                self.rewriter.edits.after(field.expr.span(), ")");
            }
        }
        visit::visit_expr_struct(self, literal);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        let name = call.method.to_string();
        let on_raw = matches!(&*call.receiver, Expr::Field(field)
            if matches!(&field.member, Member::Named(member) if member == "raw"));
        if on_raw && !KNOWN.contains(&name.as_str()) {
            self.rewriter.unknown = Some(Unknown("a call of a raw lock that it does not know"));
        }
        visit::visit_expr_method_call(self, call);
    }
}

/// Operations with places within closures and within `defer!`, which is one.
#[derive(Default)]
pub(super) struct CallsInClosures {
    depth: usize,
    /// The method's name, the parenthesis behind it, and whether there are arguments.
    pub(super) found: Vec<(Span, Span, bool)>,
}

impl CallsInClosures {
    fn deferred(&mut self, body: &syn::Macro) {
        if !body.path.is_ident("defer") {
            return;
        }
        if let Ok(expression) = body.parse_body::<Expr>() {
            self.depth += 1;
            self.visit_expr(&expression);
            self.depth -= 1;
        }
    }
}

impl<'ast> Visit<'ast> for CallsInClosures {
    fn visit_expr_closure(&mut self, closure: &'ast syn::ExprClosure) {
        self.depth += 1;
        visit::visit_expr_closure(self, closure);
        self.depth -= 1;
    }

    fn visit_expr_macro(&mut self, expression: &'ast ExprMacro) {
        self.deferred(&expression.mac);
    }

    fn visit_stmt_macro(&mut self, statement: &'ast syn::StmtMacro) {
        self.deferred(&statement.mac);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if self.depth > 0 && WITH_PLACE.contains(&call.method.to_string().as_str()) {
            let open = call.paren_token.span.open();
            self.found.push((call.method.span(), open, !call.args.is_empty()));
        }
        visit::visit_expr_method_call(self, call);
    }
}
