//! What the source calls an object at a place where it is used: the receiver of the call.
//!
//! `self.accounts.lock()` within `impl Bank` gives `Bank.accounts`, `STATE.lock()` gives `STATE`,
//! `forks[i].lock()` gives `forks[…]`.
//!
//! Known misses: calls that a macro makes up; a receiver that is itself the result of a call gives
//! only the call's name (`state()`).

use proc_macro2::LineColumn;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Expr, Member};

use super::macros;

/// How much a name tells, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// A static or constant.
    Static,
    /// A field of a type.
    TypeField,
    /// A field of a variable.
    Field,
    /// A variable.
    Variable,
    /// The result of a call.
    Call,
}

/// A use of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Use {
    /// How much its name tells.
    pub rank: Rank,
    /// What it is called there.
    pub name: String,
    /// The method that is called on it, empty for a mere expression.
    pub method: String,
}

/// The use that begins at this place: for a method call the place of the method's name.
pub(super) fn find(file: &syn::File, at: LineColumn) -> Option<Use> {
    let mut finder = Finder { at, types: Vec::new(), found: None };
    finder.visit_file(file);
    finder.found
}

struct Finder {
    at: LineColumn,
    types: Vec<String>,
    found: Option<Use>,
}

impl Finder {
    fn note(&mut self, expr: &Expr, method: String) {
        if let Some((rank, name)) = name_of(expr, self.types.last().map(String::as_str)) {
            self.found = Some(Use { rank, name, method });
        }
    }

    fn within(&mut self, name: Option<String>, visit: impl FnOnce(&mut Self)) {
        let named = name.map(|name| self.types.push(name)).is_some();
        visit(self);
        if named {
            self.types.pop();
        }
    }
}

impl<'ast> Visit<'ast> for Finder {
    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        self.within(type_name(&item.self_ty), |finder| visit::visit_item_impl(finder, item));
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.within(Some(item.ident.to_string()), |finder| visit::visit_item_trait(finder, item));
    }

    fn visit_expr(&mut self, expr: &'ast Expr) {
        let starts = |expr: &Expr| expr.span().start() == self.at;
        match expr {
            Expr::MethodCall(call) if call.method.span().start() == self.at => {
                self.note(&call.receiver, call.method.to_string());
            }
            Expr::Call(call) if starts(expr) => {
                let function =
                    if let Expr::Path(path) = &*call.func { path.path.segments.last() } else { None };
                if let (Some(first), Some(function)) = (call.args.first(), function) {
                    self.note(first, function.ident.to_string());
                }
            }
            Expr::Path(_) | Expr::Field(_) | Expr::Index(_) | Expr::Unary(_) | Expr::Reference(_)
                if self.found.is_none() && starts(expr) =>
            {
                self.note(expr, String::new());
            }
            _ => {}
        }
        visit::visit_expr(self, expr);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        for expr in macros::expressions(item) {
            // The parsed expressions live only here, the visitor keeps nothing of them.
            let mut inner = Finder { at: self.at, types: self.types.clone(), found: None };
            inner.visit_expr(&expr);
            self.found = self.found.take().or(inner.found);
        }
    }
}

/// The last segment of a type's path.
pub(super) fn type_name(of: &syn::Type) -> Option<String> {
    match of {
        syn::Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        syn::Type::Reference(reference) => type_name(&reference.elem),
        _ => None,
    }
}

/// Methods that lead to the same object, or to a pointer to it.
const TRANSPARENT: [&str; 17] = [
    "as_mut",
    "as_mut_ptr",
    "as_ptr",
    "as_ref",
    "borrow",
    "borrow_mut",
    "cast",
    "cast_mut",
    "clone",
    "deref",
    "expect",
    "get",
    "get_ref",
    "iter",
    "raw",
    "to_owned",
    "unwrap",
];

/// What an expression is called; `this` is the type of `self`.
pub(super) fn name_of(expr: &Expr, this: Option<&str>) -> Option<(Rank, String)> {
    match expr {
        Expr::Paren(inner) => name_of(&inner.expr, this),
        Expr::Group(inner) => name_of(&inner.expr, this),
        Expr::Reference(inner) => name_of(&inner.expr, this),
        Expr::Unary(inner) => name_of(&inner.expr, this),
        Expr::Cast(inner) => name_of(&inner.expr, this),
        Expr::RawAddr(inner) => name_of(&inner.expr, this),
        Expr::Try(inner) => name_of(&inner.expr, this),
        Expr::Await(inner) => name_of(&inner.base, this),
        Expr::Path(path) => {
            let last = path.path.segments.last()?.ident.to_string();
            if last == "self" {
                return Some((Rank::TypeField, this.unwrap_or("self").to_owned()));
            }
            let shouts = last.chars().all(|c| c.is_uppercase() || c.is_numeric() || c == '_');
            Some((if shouts { Rank::Static } else { Rank::Variable }, last))
        }
        Expr::Field(field) => {
            let (rank, base) = name_of(&field.base, this)?;
            let member = match &field.member {
                Member::Named(name) => name.to_string(),
                Member::Unnamed(index) => index.index.to_string(),
            };
            let rank = if rank == Rank::Variable { Rank::Field } else { rank };
            Some((rank, format!("{base}.{member}")))
        }
        Expr::Index(index) => {
            let (rank, base) = name_of(&index.expr, this)?;
            let at = match &*index.index {
                Expr::Lit(syn::ExprLit { lit: syn::Lit::Int(number), .. }) => {
                    number.base10_digits().to_owned()
                }
                _ => "…".to_owned(),
            };
            Some((rank, format!("{base}[{at}]")))
        }
        Expr::MethodCall(call) if TRANSPARENT.contains(&call.method.to_string().as_str()) => {
            let (rank, base) = name_of(&call.receiver, this)?;
            let part = call.method == "get" && !call.args.is_empty();
            Some((rank, if part { format!("{base}[…]") } else { base }))
        }
        Expr::MethodCall(call) => Some((Rank::Call, format!("{}()", call.method))),
        Expr::Call(call) => name_of(&call.func, this).map(|(_, name)| (Rank::Call, format!("{name}()"))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The name at the place that `^` in the second line points to.
    fn used(program: &str, marker: &str) -> Option<(Rank, String)> {
        let at = program.find(marker).expect("the marker is there") + marker.len();
        let before = &program[..at];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count());
        let file = syn::parse_file(program).expect("it parses");
        find(&file, LineColumn { line, column }).map(|it| (it.rank, it.name))
    }

    #[test]
    fn the_receiver_of_a_call_names_the_object() {
        let cases = [
            ("STATE.", "lock().unwrap();", Rank::Static, "STATE"),
            ("crate::bank::STATE.", "lock();", Rank::Static, "STATE"),
            ("self.accounts.", "lock();", Rank::TypeField, "Bank.accounts"),
            ("self.inner.0.", "lock();", Rank::TypeField, "Bank.inner.0"),
            ("left.", "lock();", Rank::Variable, "left"),
            ("(*bank).left.", "read();", Rank::Field, "bank.left"),
            ("forks[i + 1].", "lock();", Rank::Variable, "forks[…]"),
            ("forks[0].", "lock();", Rank::Variable, "forks[0]"),
            ("forks.get(1).unwrap().", "lock();", Rank::Variable, "forks[…]"),
            ("println!(\"{}\", left.", "lock().unwrap());", Rank::Variable, "left"),
            ("state().", "lock();", Rank::Call, "state()"),
            ("let x = || right.", "lock();", Rank::Variable, "right"),
            ("", "Mutex::lock(&right);", Rank::Variable, "right"),
            ("", "pthread_mutex_lock(&raw mut LOCK as *mut _);", Rank::Static, "LOCK"),
            ("", "pthread_mutex_lock(self.raw.get());", Rank::TypeField, "Bank.raw"),
            ("", "pthread_mutex_lock(CATALOGUE.raw());", Rank::Static, "CATALOGUE"),
            ("for x in ", "rx { }", Rank::Variable, "rx"),
            ("let x = ", "*CONFIG;", Rank::Static, "CONFIG"),
        ];
        for (before, rest, rank, name) in cases {
            let program = format!("impl Bank {{ fn f(&self) {{\n    /*é*/ {before}{rest}\n}} }}");
            assert_eq!(
                used(&program, &format!("/*é*/ {before}")),
                Some((rank, name.to_owned())),
                "{before}{rest}"
            );
        }
    }
}
