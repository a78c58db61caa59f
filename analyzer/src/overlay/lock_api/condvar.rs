//! The condvar that `lock_api` has since 0.5: it waits on the raw lock, so it is given the traced one.
//! The trait of raw condvars gets provided methods that see only that; `parking_lot`'s overrides them.

use syn::visit::{self, Visit};
use syn::{ExprMethodCall, File, ImplItem, Item};

use super::{implemented, impls, structs};
use crate::overlay::edits::{Edits, one_line};

const UNTIMED: &str = include_str!("../tails/condvar_trait_untimed.rs");
const TIMED: &str = include_str!("../tails/condvar_trait_timed.rs");

/// Collects the edits of a file.
pub(super) fn rewrite(syntax: &File, edits: &mut Edits) {
    for item in &syntax.items {
        let Item::Trait(item) = item else { continue };
        let added = match item.ident.to_string().as_str() {
            "RawCondvar" => UNTIMED,
            "RawCondvarTimed" => TIMED,
            _ => continue,
        };
        edits.before(item.brace_token.span.close(), one_line(added));
    }
    for item in structs(syntax).filter(|item| item.ident == "Condvar") {
        if let syn::Fields::Named(fields) = &item.fields {
            edits.insert(
                fields.brace_token.span.open().byte_range().end,
                " __snag_tag: crate::__snag::CondvarTag,",
            );
        }
    }
    for item in impls(syntax).filter(|item| implemented(item).as_deref() == Some("Condvar")) {
        for member in &item.items {
            if let ImplItem::Fn(function) = member {
                Calls { edits }.visit_block(&function.block);
            }
        }
    }
}

struct Calls<'a> {
    edits: &'a mut Edits,
}

impl<'ast> Visit<'ast> for Calls<'_> {
    fn visit_expr_struct(&mut self, literal: &'ast syn::ExprStruct) {
        if literal.path.is_ident("Condvar") {
            let start = literal.brace_token.span.open().byte_range().end;
            self.edits.insert(start, " __snag_tag: crate::__snag::CondvarTag::new(),");
        }
        visit::visit_expr_struct(self, literal);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        let name = call.method.to_string();
        let on_inner = matches!(&*call.receiver, syn::Expr::Field(field)
            if matches!(&field.member, syn::Member::Named(member) if member == "inner"));
        if on_inner && (name.starts_with("wait") || name.starts_with("notify")) {
            self.edits.before(call.method.span(), "__snag_");
            let start = call.paren_token.span.open().byte_range().end;
            self.edits.insert(start, "&self.__snag_tag, ::core::panic::Location::caller(), ");
        } else if name == "raw" {
            self.edits.replace(call.method.span(), "__snag_traced");
        }
        visit::visit_expr_method_call(self, call);
    }
}
