//! How a value that one call gave reaches another call in the same function: [`Flow`], by syntax.
//!
//! The innermost function or closure that has both places is walked in the order in which it runs, with
//! what each variable holds at that point: the value seen (and through which computation), what the write
//! goes to, or neither. Branches are walked one after the other and joined, loops twice. Two looks or writes
//! are told apart by the places of their calls, for which debug information has the column of a method's
//! name, and of the start of any other call.
//!
//! Invariant: what is not understood makes a value *other*, a way *not straight*, or the answer
//! [`Flow::Unknown`]; never the opposite.
//!
//! Misses: values that go through a struct, a container, a closure's capture by another function or a macro
//! that is no list of expressions; code that a macro of the program makes up.

mod callers;
mod expressions;
mod value;
mod walk;

use proc_macro2::{LineColumn, Span};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Block, Expr, Pat};

use crate::model::flow::{Flow, Step, Test};
use value::{Value, compose};
use walk::Walk;

pub(super) use callers::by_callers;

/// A way from a look to a write, by calls: the place of each, innermost first, and the file that it is in.
/// The last of either is in one function, the others are in functions that it calls there.
pub(super) type Calls<'a> = [(&'a syn::File, LineColumn)];

/// How what the call at the beginning of `from` gives bears on what that at the beginning of `to` writes.
pub(super) fn along(from: &Calls<'_>, to: &Calls<'_>) -> Flow {
    let (Some((&(file, look), getters)), Some((&(other, write), setters))) =
        (from.split_last(), to.split_last())
    else {
        return Flow::Unknown;
    };
    let (mut got, mut straight) = (Step::Same, true);
    for &(file, at) in getters {
        let Some((step, always)) = returned(file, at) else { return Flow::Unknown };
        (got, straight) = (compose(got, step), straight && always);
    }
    let mut set = None;
    for &(file, at) in setters {
        let Some((argument, flow)) = passed(file, at, set.map(|(argument, _)| argument)) else {
            return Flow::Unknown;
        };
        let flow = set.map_or(flow, |(_, inner)| followed(flow, inner));
        set = Some((argument, flow));
    }
    if !std::ptr::eq(file, other) {
        return Flow::Unknown;
    }
    let flow = between(file, look, write, set.map(|(argument, _)| argument));
    let flow = set.map_or(flow, |(_, inner)| followed(flow, inner));
    match flow {
        Flow::Computed { step, always, overwrites } => {
            Flow::Computed { step: compose(got, step), always: always && straight, overwrites }
        }
        // What is compared is not what was seen.
        Flow::Guarded { again, overwrites, .. } if got != Step::Same || set.is_some() => {
            Flow::Guarded { test: Test::Other, again, overwrites }
        }
        flow => flow,
    }
}

/// A flow into a call, whose argument has the flow `inner` there.
fn followed(flow: Flow, inner: Flow) -> Flow {
    match (flow, inner) {
        (
            Flow::Computed { step, always, .. },
            Flow::Computed { step: last, always: to_the_end, overwrites },
        ) => Flow::Computed { step: compose(step, last), always: always && to_the_end, overwrites },
        (Flow::Guarded { test, again, .. }, Flow::Computed { overwrites, .. }) => {
            Flow::Guarded { test, again, overwrites }
        }
        (flow, _) => flow,
    }
}

/// How what the call at `from` gives bears on what the call at `to` writes, or on this argument of it.
fn between(file: &syn::File, from: LineColumn, to: LineColumn, argument: Option<Argument>) -> Flow {
    let Some(body) = innermost(file, &[from, to]).filter(|_| from != to) else { return Flow::Unknown };
    let mut walk = Walk::new(Some(from), Some(to), argument);
    walk.looks_again = body.looks() > 1;
    walk.body(body);
    walk.found.filter(|_| walk.seen_in.is_some()).unwrap_or(Flow::Unknown)
}

/// What a function returns of what the call at this place gives, and whether it always does.
fn returned(file: &syn::File, at: LineColumn) -> Option<(Step, bool)> {
    let body = innermost(file, &[at])?;
    let mut walk = Walk::new(Some(at), None, None);
    let value = walk.body(body);
    let always = walk.seen_in.as_ref().is_some_and(Vec::is_empty) && !walk.ways_out_ever;
    match value {
        Value::Seen(step, path) if path.is_empty() => Some((step, always)),
        Value::Seen(..) => Some((Step::Other, always)),
        _ => None,
    }
}

/// Which argument of its own a function writes by the call at this place, and how.
fn passed(file: &syn::File, at: LineColumn, argument: Option<Argument>) -> Option<(Argument, Flow)> {
    let body = innermost(file, &[at])?;
    let Body::Function(signature, _) = body else { return None };
    let names = signature.inputs.iter().filter_map(|input| match input {
        syn::FnArg::Typed(typed) => Some(&*typed.pat),
        syn::FnArg::Receiver(_) => None,
    });
    names.enumerate().find_map(|(number, pattern)| {
        let Pat::Ident(name) = pattern else { return None };
        let mut walk = Walk::new(None, Some(at), argument);
        let seen = walk.look();
        walk.variables.insert(name.ident.to_string(), seen);
        walk.body(body);
        let flow = walk.found.filter(|flow| matches!(flow, Flow::Computed { .. }))?;
        Some((Argument { number, of_method: signature.receiver().is_some() }, flow))
    })
}

/// An argument of a function.
#[derive(Clone, Copy, Debug)]
struct Argument {
    /// Its position, `self` not counted.
    number: usize,
    /// Whether there is a `self` before it.
    of_method: bool,
}

/// What runs when it is called.
#[derive(Clone, Copy)]
enum Body<'a> {
    Function(&'a syn::Signature, &'a Block),
    Closure(&'a Expr),
}

impl Body<'_> {
    /// How many atomic loads are in it.
    fn looks(self) -> u32 {
        let mut loads = Loads(0);
        match self {
            Body::Function(_, block) => loads.visit_block(block),
            Body::Closure(expr) => loads.visit_expr(expr),
        }
        loads.0
    }
}

/// The innermost function or closure around all of these places.
fn innermost<'a>(file: &'a syn::File, places: &[LineColumn]) -> Option<Body<'a>> {
    let mut bodies = Bodies { places, innermost: None };
    bodies.visit_file(file);
    bodies.innermost
}

struct Bodies<'a, 'p> {
    places: &'p [LineColumn],
    innermost: Option<Body<'a>>,
}

impl Bodies<'_, '_> {
    fn holds(&self, span: Span) -> bool {
        self.places.iter().all(|&place| span.start() <= place && place < span.end())
    }
}

impl<'a> Visit<'a> for Bodies<'a, '_> {
    fn visit_block(&mut self, block: &'a Block) {
        if self.innermost.is_some() {
            visit::visit_block(self, block);
        }
    }

    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        if self.holds(item.block.span()) {
            self.innermost = Some(Body::Function(&item.sig, &item.block));
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'a syn::ImplItemFn) {
        if self.holds(item.block.span()) {
            self.innermost = Some(Body::Function(&item.sig, &item.block));
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'a syn::TraitItemFn) {
        if let Some(block) = &item.default
            && self.holds(block.span())
        {
            self.innermost = Some(Body::Function(&item.sig, block));
            visit::visit_trait_item_fn(self, item);
        }
    }

    fn visit_expr_closure(&mut self, closure: &'a syn::ExprClosure) {
        if self.holds(closure.body.span()) {
            self.innermost = Some(Body::Closure(&closure.body));
        }
        visit::visit_expr_closure(self, closure);
    }
}

/// Counts atomic loads.
struct Loads(u32);

impl<'a> Visit<'a> for Loads {
    fn visit_expr_method_call(&mut self, call: &'a syn::ExprMethodCall) {
        self.0 += u32::from(call.method == "load");
        visit::visit_expr_method_call(self, call);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(program: &str, offset: usize) -> LineColumn {
        let before = &program[..offset];
        let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count());
        LineColumn { line: before.matches('\n').count() + 1, column }
    }

    /// The flow from the first of these words to the last of those.
    fn of(body: &str, from: &str, to: &str) -> Flow {
        let program = format!("impl S {{ fn f(&self, v: u64) -> Option<u64> {{\n{body}\n}} }}");
        let file = syn::parse_file(&program).expect("it parses");
        let from = program.find(from).expect("there is a look");
        let to = program.rfind(to).expect("there is a write");
        along(&[(&file, at(&program, from))], &[(&file, at(&program, to))])
    }

    fn atomic(body: &str) -> Flow {
        of(body, "load(", "store(")
    }

    fn computed(step: Step, always: bool) -> Flow {
        Flow::Computed { step, always, overwrites: true }
    }

    fn guarded(test: Test, again: bool) -> Flow {
        Flow::Guarded { test, again, overwrites: true }
    }

    #[test]
    fn what_is_stored_is_computed_from_what_was_loaded() {
        for (body, step) in [
            ("N.store(N.load(O) + 1, O);", Step::Distinct),
            ("let n = N.load(O); let m = n.wrapping_sub(v); N.store(m, O);", Step::Distinct),
            ("let mut n = N.load(O); n += v; work(); N.store(n, O);", Step::Distinct),
            ("let n = N.load(O).checked_add(1).unwrap(); N.store(n, O);", Step::Distinct),
            ("N.store(!N.load(O), O);", Step::Distinct),
            ("let x = f64::from_bits(N.load(O)); N.store((x + 1.5).to_bits(), O);", Step::Distinct),
            ("for _ in 0..9 { let n = N.load(O); N.store(n + 1, O); }", Step::Distinct),
            ("spawn(move || { let n = N.load(O); N.store(n + 1, O); });", Step::Distinct),
            ("let n = { let n = N.load(O); n }; { N.store(n + 1, O); }", Step::Distinct),
            ("let s = State { n: 1 }; s.n = N.load(O); N.store(s.n + 1, O);", Step::Distinct),
            ("let next = N.load(O); N.store(Box::into_raw(Box::new(Node { v, next })), O);", Step::Distinct),
            ("let node = make(v); unsafe { (*node).next = N.load(O) }; N.store(node, O);", Step::Distinct),
            (
                "let mut list = (*N.load(O)).clone(); list.push(v); N.store(Box::into_raw(Box::new(list)), O);",
                Step::Distinct,
            ),
            (
                "let mut list = (*N.load(O)).clone(); list.clear(); N.store(Box::into_raw(Box::new(list)), O);",
                Step::Other,
            ),
            ("let mut n = N.load(O); advance(&mut n); N.store(n, O);", Step::Other),
            ("let mut n = N.load(O); each(|| n += 1); N.store(n, O);", Step::Other),
            ("N.store(Clamped::new(N.load(O)), O);", Step::Other),
            ("N.store(N.load(O).max(v), O);", Step::Max),
            ("N.store(v.max(N.load(O)), O);", Step::Max),
            ("let n = N.load(O); N.store(cmp::min(n, v), O);", Step::Min),
            ("N.store(N.load(O) | 4, O);", Step::SetBits),
            ("N.store(N.load(O) & !v, O);", Step::ClearBits),
            ("N.store(N.load(O), O);", Step::Same),
            ("N.store(next(N.load(O)), O);", Step::Other),
            ("N.store(N.load(O).saturating_add(1), O);", Step::Other),
            ("N.store(N.load(O) % v, O);", Step::Other),
            ("let n = N.load(O); N.store(n - n, O);", Step::Other),
            ("let mut n = N.load(O); if v > 3 { n = 0; } N.store(n, O);", Step::Other),
        ] {
            assert_eq!(atomic(body), computed(step, true), "{body}");
        }
    }

    #[test]
    fn a_call_that_is_no_method_is_found_by_its_start() {
        let flow = of("AtomicU64::store(&N, N.load(O) + 1, O);", "load(", "AtomicU64::store(");
        assert_eq!(flow, computed(Step::Distinct, true));
        let flow = of("let n = AtomicU64::load(&N, O); N.store(n, O);", "AtomicU64::load(", "store(");
        assert_eq!(flow, computed(Step::Same, true));
    }

    #[test]
    fn a_branch_or_a_way_out_on_the_way_is_told() {
        for (body, step) in [
            ("let n = N.load(O); if n == v { N.store(n + 1, O); }", Step::Distinct),
            ("let n = N.load(O); if n == v { return None; } N.store(n + 1, O);", Step::Distinct),
            ("let n = N.load(O).checked_add(1)?; N.store(n, O);", Step::Distinct),
            (
                "let n = match N.load(O).checked_add(1) { Some(n) => n, None => return None }; N.store(n, O);",
                Step::Distinct,
            ),
            ("let Some(n) = N.load(O).checked_add(1) else { return None }; N.store(n, O);", Step::Distinct),
            ("let mut n = 0; loop { N.store(n, O); n = N.load(O) + 1; }", Step::Other),
            ("let n = N.load(O); spawn(move || N.store(n + 1, O));", Step::Distinct),
            ("let n = N.load(O); v > 3 && { N.store(n + 1, O); true };", Step::Distinct),
        ] {
            assert_eq!(atomic(body), computed(step, false), "{body}");
        }
    }

    #[test]
    fn a_store_behind_a_condition_on_what_was_loaded() {
        for (body, flow) in [
            ("if v > N.load(O) { N.store(v, O); }", guarded(Test::Max, false)),
            ("let n = N.load(O); if n <= v && v < 9 { N.store(v, O); }", guarded(Test::Max, false)),
            ("let n = N.load(O); if n >= v { other(); } else { N.store(v, O); }", guarded(Test::Max, false)),
            ("if v < N.load(O) { N.store(v, O); }", guarded(Test::Min, false)),
            ("if v + 1 > N.load(O) { N.store(v, O); }", guarded(Test::Other, false)),
            ("while N.load(O) < v { N.store(v, O); }", guarded(Test::Max, true)),
            ("loop { if N.load(O) >= v { break; } N.store(v, O); }", guarded(Test::Other, true)),
            ("if N.load(O) == 0 { N.store(1, O); }", guarded(Test::Other, false)),
            ("match N.load(O) { 0 => N.store(1, O), _ => {} }", guarded(Test::Other, false)),
            ("if N.load(O) == 0 { return None; } N.store(1, O);", guarded(Test::Other, false)),
        ] {
            assert_eq!(atomic(body), flow, "{body}");
        }
    }

    #[test]
    fn a_store_of_something_else() {
        for body in [
            "let n = N.load(O); println!(\"{n}\"); N.store(v, O);",
            "let n = N.load(O); let n = v; N.store(n, O);",
            "while N.load(O) == 1 {} N.store(1, O);",
            "let n = N.load(O); { let v = n; use_it(v); } N.store(v, O);",
            "let mut n = N.load(O); n = 5; N.store(n, O);",
        ] {
            assert_eq!(atomic(body), Flow::None, "{body}");
        }
    }

    #[test]
    fn what_cannot_be_followed_is_unknown() {
        assert_eq!(atomic("N.load(O); } fn g() { N.store(1, O);"), Flow::Unknown);
        assert_eq!(atomic("make! { N.load(O) => 1 } N.store(1, O);"), Flow::Unknown);
        assert_eq!(of("N.store(1, O); let n = N.load(O);", "load(", "store("), Flow::Unknown);
    }

    #[test]
    fn a_write_through_a_guard() {
        let lock = |body: &str| of(body, "lock(", "lock(");
        let (other, works_on) = (false, false);
        for (body, flow) in [
            ("let n = *m.lock().unwrap(); *m.lock().unwrap() = n + 1;", computed(Step::Distinct, true)),
            (
                "let n = { let g = m.lock().unwrap(); *g }; let mut g = m.lock().unwrap(); *g = n + 1;",
                computed(Step::Distinct, true),
            ),
            ("let n = m.lock().unwrap().n; m.lock().unwrap().n = n + 1;", computed(Step::Distinct, true)),
            ("let n = m.lock().unwrap().n; m.lock().unwrap().k = n + 1;", computed(Step::Other, true)),
            (
                "let n = *m.lock().unwrap(); *m.lock().unwrap() += n;",
                Flow::Computed { step: Step::Other, always: true, overwrites: works_on },
            ),
            (
                "if !m.lock().unwrap().contains_key(&v) { m.lock().unwrap().insert(v, 1); }",
                Flow::Guarded { test: Test::Other, again: other, overwrites: works_on },
            ),
            (
                "let ok = *m.lock().unwrap() >= v; if ok { *m.lock().unwrap() -= v; }",
                Flow::Guarded { test: Test::Other, again: other, overwrites: works_on },
            ),
            ("let n = *m.lock().unwrap(); show(n); let mut g = m.lock().unwrap(); *g = *g + 1;", Flow::None),
            ("let n = m.lock().unwrap().len(); show(n); m.lock().unwrap().push(v);", Flow::None),
            (
                "if !m.lock().unwrap().contains_key(&v) { m.lock().unwrap().entry(v).or_insert(1); }",
                Flow::None,
            ),
        ] {
            assert_eq!(lock(body), flow, "{body}");
        }
    }

    /// The flow from `load` to `store` by way of `get()` and `set()`, in functions of these bodies.
    fn by_calls(get: &str, set: &str, update: &str) -> Flow {
        let program = format!(
            "impl S {{\nfn get(&self) -> u64 {{ {get} }}\nfn set(&self, k: u8, v: u64) {{ {set} }}\n\
             fn update(&self) {{ {update} }}\n}}"
        );
        let file = syn::parse_file(&program).expect("it parses");
        let [look, write] = ["load(", "store("].map(|word| program.find(word).expect("it is there"));
        let [getter, setter] = ["get()", "set(1"].map(|word| program.rfind(word).expect("it is there"));
        let calls = |inner, outer| [(&file, at(&program, inner)), (&file, at(&program, outer))];
        along(&calls(look, getter), &calls(write, setter))
    }

    #[test]
    fn values_go_through_functions_that_load_and_store() {
        let (get, set) = ("self.n.load(O)", "self.n.store(v, O)");
        let update = "let n = self.get(); self.set(1, n + 1);";
        assert_eq!(by_calls(get, set, update), computed(Step::Distinct, true));
        assert_eq!(by_calls("self.n.load(O) / 2", set, update), computed(Step::Other, true));
        assert_eq!(by_calls(get, "self.n.store(v + 5, O);", update), computed(Step::Distinct, true));
        assert_eq!(
            by_calls(get, "if v > 3 { self.n.store(v, O); }", update),
            computed(Step::Distinct, false)
        );
        assert_eq!(
            by_calls("if x { return 5; } self.n.load(O)", set, update),
            computed(Step::Distinct, false)
        );
        assert_eq!(by_calls(get, set, "show(self.get()); self.set(1, 7);"), Flow::None);
        assert_eq!(by_calls(get, "self.n.store(k, O)", update), Flow::None);
        assert_eq!(by_calls("self.n.load(O); 5", set, update), Flow::Unknown);
        assert_eq!(by_calls(get, "self.n.store(7, O)", update), Flow::Unknown);
        let plain = "fn get(s: &S) -> u64 { s.load(O) } fn set(s: &S, v: u64) { s.store(v, O) }\n\
                     fn update(s: &S) { set(s, get(s) + 1); }";
        let file = syn::parse_file(plain).expect("it parses");
        let place = |word| (&file, at(plain, plain.rfind(word).expect("it is there")));
        let flow = along(&[place("load("), place("get(s) +")], &[place("store("), place("set(s, ")]);
        assert_eq!(flow, computed(Step::Distinct, true));
        let guard = "let n = self.get(); if n < 5 { self.set(1, 5); }";
        assert_eq!(by_calls(get, set, guard), guarded(Test::Other, false));
    }
}
