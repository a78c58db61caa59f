//! The way from a look in one function to a write in another, by those who call both.
//!
//! A recorded event has the place of an operation and not the calls that led there. So the callers of the
//! function that writes are looked for in all sources: if each of them passes on what the function that
//! looks gave it, on the same receiver, then so did the one that was recorded.
//!
//! Invariant: a function whose name is also used otherwise (another definition, a macro, a path) is known by
//! no caller, and the answer is [`Flow::Unknown`].

use proc_macro2::{LineColumn, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Expr, Signature};

use super::walk::rank;
use super::{Body, along, innermost};
use crate::model::flow::{Flow, Step, Test};

/// How the look at `from` bears on the write at `to`, in functions of which `files` has all callers.
pub(in crate::names) fn by_callers(
    files: &[&syn::File],
    from: (&syn::File, LineColumn),
    to: (&syn::File, LineColumn),
) -> Flow {
    let (Some(getter), Some(setter)) = (function_at(from), function_at(to)) else { return Flow::Unknown };
    if getter == setter {
        return Flow::Unknown;
    }
    let looks = calls_within(to, &getter, None);
    let direct = looks.into_iter().map(|look| along(&[from, (to.0, look)], &[to]));
    if let Some(flow) = direct.max_by_key(rank).filter(|flow| !matches!(flow, Flow::Unknown)) {
        return flow;
    }
    let Some(callers) = all_calls(files, &setter) else { return Flow::Unknown };
    let flows = callers.into_iter().map(|(file, call)| {
        let write = [to, (file, call.place)];
        let is_looker = std::ptr::eq(file, from.0)
            && innermost(file, &[call.place]).is_some_and(|body| body.name().as_ref() == Some(&getter));
        if is_looker {
            return along(&[from], &write);
        }
        let looks = calls_within((file, call.place), &getter, call.receiver.as_deref());
        let flows = looks.into_iter().map(|look| along(&[from, (file, look)], &write));
        flows.max_by_key(rank).unwrap_or(Flow::Unknown)
    });
    flows.reduce(both).unwrap_or(Flow::Unknown)
}

/// What is true of both.
fn both(one: Flow, other: Flow) -> Flow {
    let overwrites = |flow| match flow {
        Flow::Computed { overwrites, .. } | Flow::Guarded { overwrites, .. } => overwrites,
        Flow::None | Flow::Unknown => false,
    };
    let overwrites = overwrites(one) && overwrites(other);
    match (one, other) {
        (one, other) if one == other => one,
        (Flow::None | Flow::Unknown, _) | (_, Flow::None | Flow::Unknown) => Flow::Unknown,
        (Flow::Computed { always: one, .. }, Flow::Computed { always: other, .. }) => {
            Flow::Computed { step: Step::Other, always: one && other, overwrites }
        }
        _ => Flow::Guarded { test: Test::Other, again: true, overwrites },
    }
}

impl Body<'_> {
    /// A function's name.
    fn name(self) -> Option<String> {
        match self {
            Body::Function(signature, _) => Some(signature.ident.to_string()),
            Body::Closure(_) => None,
        }
    }
}

fn function_at((file, at): (&syn::File, LineColumn)) -> Option<String> {
    innermost(file, &[at])?.name()
}

/// The calls of a function in the function or closure around a place; on this receiver, if that is given.
fn calls_within((file, at): (&syn::File, LineColumn), name: &str, receiver: Option<&str>) -> Vec<LineColumn> {
    let mut calls = Calls { name, found: Vec::new(), definitions: 0 };
    match innermost(file, &[at]) {
        Some(Body::Function(_, block)) => calls.visit_block(block),
        Some(Body::Closure(expr)) => calls.visit_expr(expr),
        None => {}
    }
    let fits = |call: &Call| receiver.is_none_or(|receiver| call.receiver.as_deref() == Some(receiver));
    calls.found.into_iter().filter(fits).map(|call| call.place).collect()
}

/// Every call of a function; nothing if its name means something else as well.
fn all_calls<'a>(files: &[&'a syn::File], name: &str) -> Option<Vec<(&'a syn::File, Call)>> {
    let (mut found, mut definitions, mut mentions) = (Vec::new(), 0, 0);
    for &file in files {
        let mut calls = Calls { name, found: Vec::new(), definitions: 0 };
        calls.visit_file(file);
        definitions += calls.definitions;
        mentions += count(file.to_token_stream(), name);
        found.extend(calls.found.into_iter().map(|call| (file, call)));
    }
    (definitions == 1 && mentions == found.len() + definitions).then_some(found)
}

fn count(tokens: TokenStream, name: &str) -> usize {
    let counted = tokens.into_iter().map(|token| match token {
        TokenTree::Group(group) => count(group.stream(), name),
        TokenTree::Ident(ident) => usize::from(ident == name),
        _ => 0,
    });
    counted.sum()
}

/// A call of a method, or of a function with its first argument as receiver.
struct Call {
    place: LineColumn,
    receiver: Option<String>,
}

struct Calls<'a> {
    name: &'a str,
    found: Vec<Call>,
    definitions: usize,
}

fn spelled(expr: &Expr) -> String {
    match expr {
        Expr::Reference(inner) => spelled(&inner.expr),
        other => other.to_token_stream().to_string(),
    }
}

impl<'a> Visit<'a> for Calls<'_> {
    fn visit_signature(&mut self, signature: &'a Signature) {
        self.definitions += usize::from(signature.ident == self.name);
        visit::visit_signature(self, signature);
    }

    fn visit_expr_method_call(&mut self, call: &'a syn::ExprMethodCall) {
        if call.method == self.name {
            let place = call.method.span().start();
            self.found.push(Call { place, receiver: Some(spelled(&call.receiver)) });
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_call(&mut self, call: &'a syn::ExprCall) {
        if let Expr::Path(path) = &*call.func
            && path.path.segments.last().is_some_and(|last| last.ident == self.name)
        {
            let place = call.span().start();
            self.found.push(Call { place, receiver: call.args.first().map(spelled) });
        }
        visit::visit_expr_call(self, call);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUE: &str = "impl Value {\n    fn get(&self) -> u64 { *self.0.lock().unwrap() }\n    \
                         fn set(&self, new: u64) { *self.0.lock().unwrap() = new; }\n}\n";

    /// The flow from `get` to `set`, called by what is added.
    fn flow(callers: &str) -> Flow {
        let file = syn::parse_file(&format!("{VALUE}{callers}")).expect("it parses");
        let place = |line: usize| {
            let text = VALUE.lines().nth(line - 1).expect("a line");
            (&file, LineColumn { line, column: text.find("lock").expect("it locks") })
        };
        by_callers(&[&file], place(2), place(3))
    }

    #[test]
    fn the_only_caller_tells_how_the_value_gets_there() {
        let update = Flow::Computed { step: Step::Distinct, always: true, overwrites: true };
        assert_eq!(flow("fn f(v: &Value) { let n = v.get(); v.set(n + 1); }"), update);
        assert_eq!(
            flow("fn f(v: &Value) { v.set(v.get() + 1); }\nfn g(v: &Value) { show(v.get()); }"),
            update
        );
        let guarded = Flow::Guarded { test: Test::Other, again: false, overwrites: true };
        assert_eq!(flow("fn f(v: &Value) { if v.get() == 0 { v.set(1); } }"), guarded);
        assert_eq!(flow("fn f(v: &Value) { show(v.get()); v.set(1); }"), Flow::None);
    }

    #[test]
    fn what_is_behind_a_pointer_is_looked_at_and_written_to() {
        let program = "impl Value {\n    fn get(&self) -> i64 { unsafe { *self.n.get() } }\n    \
                       fn set(&self, new: i64) { unsafe { *self.n.get() = new }; }\n}\n\
                       fn f(v: &Value) { v.set(v.get() + 1); }";
        let file = syn::parse_file(program).expect("it parses");
        let place = |line: usize, what: &str| {
            let text = program.lines().nth(line - 1).expect("a line");
            (&file, LineColumn { line, column: text.find(what).expect("it is there") })
        };
        let update = Flow::Computed { step: Step::Distinct, always: true, overwrites: true };
        let (from, to) = ([place(2, "*"), place(5, "get")], [place(3, "*"), place(5, "set")]);
        assert_eq!(along(&from, &to), update);
    }

    #[test]
    fn a_caller_that_does_otherwise_makes_it_unknown() {
        for callers in [
            "fn f(v: &Value) { v.set(v.get() + 1); }\nfn g(v: &Value) { v.set(0); }",
            "fn f(v: &Value, w: &Value) { v.set(w.get() + 1); }",
            "fn f(v: &Value) { v.set(v.get() + 1); }\nfn g() { run(Value::set); }",
            "fn f(v: &Value) { v.set(v.get() + 1); }\nfn g(v: &Value) { make!(v.set(1)); }",
            "fn f(v: &Value) { v.set(v.get() + 1); }\nimpl Other { fn set(&self) {} }",
            "",
        ] {
            assert_eq!(flow(callers), Flow::Unknown, "{callers}");
        }
    }

    #[test]
    fn a_function_that_writes_itself_after_asking_another() {
        let program = "impl Account {\n    fn covers(&self, n: u64) -> bool { *self.0.lock().unwrap() >= n }\n    \
                       fn take(&self, n: u64) { if self.covers(n) { *self.0.lock().unwrap() -= n; } }\n}";
        let file = syn::parse_file(program).expect("it parses");
        let place = |line: usize| {
            let text = program.lines().nth(line - 1).expect("a line");
            (&file, LineColumn { line, column: text.find("lock").expect("it locks") })
        };
        let guarded = Flow::Guarded { test: Test::Other, again: false, overwrites: false };
        assert_eq!(by_callers(&[&file], place(2), place(3)), guarded);
    }
}
