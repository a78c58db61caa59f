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

use std::collections::BTreeMap;

use proc_macro2::{LineColumn, Span};
use quote::ToTokens as _;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{BinOp, Block, Expr, Member, Pat, Stmt};

use super::macros;
use crate::model::flow::{Flow, Step, Test};

/// How what the call at `from` gives bears on what the call at `to` writes.
pub(super) fn between(file: &syn::File, from: LineColumn, to: LineColumn) -> Flow {
    if from == to {
        return Flow::Unknown;
    }
    let mut bodies = Bodies { places: [from, to], innermost: None };
    bodies.visit_file(file);
    let Some(body) = bodies.innermost else { return Flow::Unknown };
    let mut loads = Loads(0);
    match body {
        Body::Block(block) => loads.visit_block(block),
        Body::Expr(expr) => loads.visit_expr(expr),
    }
    let mut walk = Walk::new(from, to, loads.0 > 1);
    match body {
        Body::Block(block) => walk.block(block),
        Body::Expr(expr) => walk.expr(expr),
    };
    walk.found.filter(|_| walk.seen_in.is_some()).unwrap_or(Flow::Unknown)
}

#[derive(Clone, Copy)]
enum Body<'a> {
    Block(&'a Block),
    Expr(&'a Expr),
}

/// Finds the innermost function or closure around some places.
struct Bodies<'a> {
    places: [LineColumn; 2],
    innermost: Option<Body<'a>>,
}

impl<'a> Bodies<'a> {
    fn holds(&self, span: Span) -> bool {
        self.places.iter().all(|&place| span.start() <= place && place < span.end())
    }
}

impl<'a> Visit<'a> for Bodies<'a> {
    fn visit_block(&mut self, block: &'a Block) {
        if self.innermost.is_some() {
            visit::visit_block(self, block);
        }
    }

    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        if self.holds(item.block.span()) {
            self.innermost = Some(Body::Block(&item.block));
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'a syn::ImplItemFn) {
        if self.holds(item.block.span()) {
            self.innermost = Some(Body::Block(&item.block));
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'a syn::TraitItemFn) {
        if let Some(block) = &item.default
            && self.holds(block.span())
        {
            self.innermost = Some(Body::Block(block));
            visit::visit_trait_item_fn(self, item);
        }
    }

    fn visit_expr_closure(&mut self, closure: &'a syn::ExprClosure) {
        if self.holds(closure.body.span()) {
            self.innermost = Some(Body::Expr(&closure.body));
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

/// What an expression is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    /// Neither of the others.
    Plain,
    /// Computed from what was seen, in the field of it that this path leads to.
    Seen(Step, String),
    /// What is written to, in this field.
    Target(String),
    /// There is none: the code goes elsewhere.
    Never,
}

impl Value {
    fn is_seen(&self) -> bool {
        matches!(self, Value::Seen(..))
    }

    fn then(self, step: Step) -> Value {
        match self {
            Value::Seen(before, path) => Value::Seen(compose(before, step), path),
            other => other,
        }
    }

    /// What is made of several values in a way that is not known.
    fn mixed(values: impl IntoIterator<Item = Value>) -> Value {
        let seen = values.into_iter().any(|value| value.is_seen());
        if seen { Value::Seen(Step::Other, String::new()) } else { Value::Plain }
    }

    /// What is one of two values.
    fn joined(self, other: Value) -> Value {
        match (self, other) {
            (Value::Never, value) | (value, Value::Never) => value,
            (one, other) if one == other => one,
            (one, other) => Value::mixed([one, other]),
        }
    }
}

fn compose(before: Step, after: Step) -> Step {
    match (before, after) {
        (Step::Same, step) | (step, Step::Same) => step,
        (Step::Distinct, Step::Distinct) => Step::Distinct,
        _ => Step::Other,
    }
}

/// Code that runs under a condition, or apart from what surrounds it.
#[derive(Clone, Debug)]
struct Context {
    id: u32,
    /// Whether the condition depends on what was seen.
    depends: bool,
    /// If it compares that: whether something is greater, and what.
    compares: Option<(bool, String)>,
    /// Whether it runs until a condition is met.
    repeats: bool,
}

struct Walk {
    from: LineColumn,
    to: LineColumn,
    /// Whether the function looks more than once.
    looks_again: bool,
    variables: BTreeMap<String, Value>,
    /// What variables held before ones of the same name came into scope.
    shadowed: Vec<(String, Option<Value>)>,
    contexts: Vec<Context>,
    next: u32,
    /// In which contexts the look was.
    seen_in: Option<Vec<u32>>,
    /// Whether there was a way out since, and one that depends on what was seen.
    ways_out: bool,
    depending_ways_out: bool,
    found: Option<Flow>,
}

/// Methods whose result is their receiver's value, or stands for it.
const TRANSPARENT: [&str; 20] = [
    "as_deref",
    "as_mut",
    "as_ref",
    "borrow",
    "borrow_mut",
    "by_ref",
    "clone",
    "cloned",
    "copied",
    "deref",
    "deref_mut",
    "expect",
    "into",
    "into_inner",
    "ok",
    "to_bits",
    "to_owned",
    "unwrap",
    "unwrap_or_default",
    "unwrap_or_else",
];

/// Methods of numbers that give another result for another receiver.
const DISTINCT: [&str; 9] = [
    "add",
    "checked_add",
    "checked_sub",
    "overflowing_add",
    "overflowing_sub",
    "strict_add",
    "sub",
    "wrapping_add",
    "wrapping_sub",
];

/// Macros that leave the function.
const LEAVING: [&str; 3] = ["bail", "panic", "unreachable"];

impl Walk {
    fn new(from: LineColumn, to: LineColumn, looks_again: bool) -> Walk {
        Walk {
            from,
            to,
            looks_again,
            variables: BTreeMap::new(),
            shadowed: Vec::new(),
            contexts: Vec::new(),
            next: 0,
            seen_in: None,
            ways_out: false,
            depending_ways_out: false,
            found: None,
        }
    }

    fn ids(&self) -> Vec<u32> {
        self.contexts.iter().map(|context| context.id).collect()
    }

    fn look(&mut self) -> Value {
        self.seen_in = Some(self.ids());
        (self.ways_out, self.depending_ways_out) = (false, false);
        Value::Seen(Step::Same, String::new())
    }

    /// A way out of what is being run.
    fn leave(&mut self) {
        self.ways_out = true;
        self.depending_ways_out |= self.contexts.iter().any(|context| context.depends);
    }

    /// Something is written to a field of what is written to.
    fn write(&mut self, value: &Value, text: &str, path: &str, overwrites: bool) {
        let Some(seen_in) = &self.seen_in else { return };
        let ids = self.ids();
        let always = *seen_in == ids && !self.ways_out;
        let depends = self.contexts.iter().rev().find(|context| context.depends);
        let flow = match value {
            Value::Seen(step, of) => {
                let step = if of == path && overwrites { *step } else { Step::Other };
                Flow::Computed { step, always, overwrites }
            }
            _ if depends.is_none() && !self.depending_ways_out => Flow::None,
            _ => {
                let compared = depends.and_then(|context| context.compares.as_ref());
                let test = match compared {
                    Some((true, with)) if with == text => Test::Max,
                    Some((false, with)) if with == text => Test::Min,
                    _ => Test::Other,
                };
                let again = self.looks_again || self.contexts.iter().any(|context| context.repeats);
                Flow::Guarded { test, again, overwrites }
            }
        };
        if rank(&flow) > self.found.as_ref().map_or(0, rank) {
            self.found = Some(flow);
        }
    }

    /// Runs what runs under a condition, or apart.
    fn within<T>(&mut self, context: Context, run: impl FnOnce(&mut Walk) -> T) -> T {
        self.next += 1;
        self.contexts.push(Context { id: self.next, ..context });
        let result = run(self);
        self.contexts.pop();
        result
    }

    /// Runs one of several ways, as far as anybody knows, and joins what they leave.
    fn branches(&mut self, ways: &mut [&mut dyn FnMut(&mut Walk) -> Value]) -> Value {
        let before = self.variables.clone();
        let mut joined: Option<(BTreeMap<String, Value>, Value)> = None;
        for way in ways {
            self.variables.clone_from(&before);
            let value = way(self);
            let after = std::mem::take(&mut self.variables);
            joined = Some(match joined {
                None | Some((_, Value::Never)) => (after, value),
                Some(joined) if value == Value::Never => joined,
                Some((variables, other)) => (join(variables, after), other.joined(value)),
            });
        }
        let (variables, value) = joined.unwrap_or((before, Value::Plain));
        self.variables = variables;
        value
    }

    fn block(&mut self, block: &Block) -> Value {
        let scope = self.shadowed.len();
        let (mut value, mut ends) = (Value::Plain, false);
        for statement in &block.stmts {
            value = match statement {
                Stmt::Local(local) => {
                    self.local(local);
                    Value::Plain
                }
                Stmt::Expr(expr, semicolon) => match self.expr(expr) {
                    Value::Never => Value::Never,
                    value => semicolon.map_or(value, |_| Value::Plain),
                },
                Stmt::Macro(call) => self.macro_call(&call.mac),
                Stmt::Item(_) => Value::Plain,
            };
            ends |= value == Value::Never;
        }
        self.end_scope(scope);
        if ends { Value::Never } else { value }
    }

    fn end_scope(&mut self, scope: usize) {
        for (name, value) in self.shadowed.split_off(scope).into_iter().rev() {
            match value {
                Some(value) => self.variables.insert(name, value),
                None => self.variables.remove(&name),
            };
        }
    }

    fn local(&mut self, local: &syn::Local) {
        let Some(init) = &local.init else { return self.bind(&local.pat, &Value::Plain) };
        let value = self.expr(&init.expr);
        if let Some((_, otherwise)) = &init.diverge {
            let context = condition(value.is_seen(), None);
            self.within(context, |walk| walk.expr(otherwise));
        }
        self.bind(&local.pat, &value);
    }

    /// Gives a pattern's variables their values.
    fn bind(&mut self, pattern: &Pat, value: &Value) {
        match pattern {
            Pat::Ident(ident) => {
                let name = ident.ident.to_string();
                let before = self.variables.insert(name.clone(), value.clone());
                self.shadowed.push((name, before));
            }
            Pat::Type(typed) => self.bind(&typed.pat, value),
            Pat::Paren(inner) => self.bind(&inner.pat, value),
            Pat::Reference(inner) => self.bind(&inner.pat, value),
            Pat::TupleStruct(variant) if variant.elems.len() == 1 => self.bind(&variant.elems[0], value),
            other => {
                let mut idents = Idents(Vec::new());
                idents.visit_pat(other);
                let part = Value::mixed([value.clone()]);
                for name in idents.0 {
                    let before = self.variables.insert(name.clone(), part.clone());
                    self.shadowed.push((name, before));
                }
            }
        }
    }

    fn all<'e>(&mut self, exprs: impl IntoIterator<Item = &'e Expr>) -> Value {
        let values: Vec<Value> = exprs.into_iter().map(|expr| self.expr(expr)).collect();
        Value::mixed(values)
    }

    fn expr(&mut self, expr: &Expr) -> Value {
        match expr {
            Expr::MethodCall(call) => self.method_call(call),
            Expr::Call(call) => self.call(call),
            Expr::Assign(assign) => self.assign(&assign.left, &assign.right),
            Expr::Binary(binary) => self.binary(binary),
            Expr::If(_) | Expr::Match(_) | Expr::While(_) | Expr::Loop(_) | Expr::ForLoop(_) => {
                self.control(expr)
            }
            Expr::Return(_) | Expr::Break(_) | Expr::Continue(_) | Expr::Try(_) => self.way_out(expr),
            Expr::Closure(_) | Expr::Async(_) => self.apart(expr),
            Expr::Path(_) | Expr::Field(_) => self.place(expr),
            Expr::Block(block) => self.block(&block.block),
            Expr::Unsafe(block) => self.block(&block.block),
            Expr::Const(block) => self.block(&block.block),
            Expr::Macro(call) => self.macro_call(&call.mac),
            Expr::Paren(inner) => self.expr(&inner.expr),
            Expr::Group(inner) => self.expr(&inner.expr),
            Expr::Reference(inner) => self.expr(&inner.expr),
            Expr::RawAddr(inner) => self.expr(&inner.expr),
            Expr::Await(inner) => self.expr(&inner.base),
            Expr::Unary(unary) => {
                let value = self.expr(&unary.expr);
                if matches!(unary.op, syn::UnOp::Deref(_)) { value } else { value.then(Step::Distinct) }
            }
            Expr::Cast(cast) => {
                let value = self.expr(&cast.expr);
                let target = cast.ty.to_token_stream().to_string();
                let wide = ["u64", "i64", "usize", "isize", "u128", "i128"].contains(&target.as_str());
                value.then(if wide { Step::Same } else { Step::Other })
            }
            Expr::Let(test) => {
                let value = self.expr(&test.expr);
                self.bind(&test.pat, &value);
                value.then(Step::Other)
            }
            Expr::Tuple(list) => self.all(&list.elems),
            Expr::Array(list) => self.all(&list.elems),
            Expr::Repeat(repeat) => self.all([&*repeat.expr, &*repeat.len]),
            Expr::Index(index) => self.all([&*index.expr, &*index.index]),
            Expr::Range(range) => self.all(range.start.as_deref().into_iter().chain(range.end.as_deref())),
            Expr::Struct(made) => {
                self.all(made.fields.iter().map(|field| &field.expr).chain(made.rest.as_deref()))
            }
            _ => Value::Plain,
        }
    }

    /// A variable, or a field of something.
    fn place(&mut self, expr: &Expr) -> Value {
        if let Some(value) = key(expr).and_then(|key| self.variables.get(&key)) {
            return value.clone();
        }
        let Expr::Field(field) = expr else { return Value::Plain };
        let name = match &field.member {
            Member::Named(name) => name.to_string(),
            Member::Unnamed(index) => index.index.to_string(),
        };
        match self.expr(&field.base) {
            Value::Seen(Step::Same, path) => Value::Seen(Step::Same, format!("{path}.{name}")),
            Value::Target(path) => Value::Target(format!("{path}.{name}")),
            // The sum that an `overflowing_add` gives.
            Value::Seen(step, path) if name == "0" => Value::Seen(step, path),
            value => value.then(Step::Other),
        }
    }

    fn method_call(&mut self, call: &syn::ExprMethodCall) -> Value {
        let receiver = self.expr(&call.receiver);
        let arguments: Vec<Value> = call.args.iter().map(|argument| self.expr(argument)).collect();
        let name = call.method.to_string();
        let at = call.method.span().start();
        if at == self.from {
            return self.look();
        }
        if at == self.to {
            let Some((value, expr)) = arguments.first().zip(call.args.first()).filter(|_| name == "store")
            else {
                return Value::Target(String::new());
            };
            self.write(value, &text(expr), "", true);
            return Value::Plain;
        }
        if TRANSPARENT.contains(&name.as_str()) && !arguments.iter().any(Value::is_seen) {
            return receiver;
        }
        if let Value::Target(path) = &receiver {
            self.write(&Value::mixed(arguments), "", path, false);
            return Value::Plain;
        }
        self.result_of(&name, receiver, arguments)
    }

    fn call(&mut self, call: &syn::ExprCall) -> Value {
        let arguments: Vec<Value> = call.args.iter().map(|argument| self.expr(argument)).collect();
        let name = if let Expr::Path(path) = &*call.func { path.path.segments.last() } else { None };
        let name = name.map_or_else(String::new, |segment| segment.ident.to_string());
        let at = call.span().start();
        if at == self.from {
            return self.look();
        }
        if at == self.to {
            let Some((value, expr)) = arguments.get(1).zip(call.args.get(1)).filter(|_| name == "store")
            else {
                return Value::Target(String::new());
            };
            self.write(value, &text(expr), "", true);
            return Value::Plain;
        }
        if let Some(Value::Target(path)) =
            arguments.iter().find(|value| matches!(value, Value::Target(_))).cloned()
        {
            if name != "drop" {
                self.write(&Value::mixed(arguments), "", &path, false);
            }
            return Value::Plain;
        }
        let wraps = matches!(name.as_str(), "Some" | "Ok" | "Wrapping" | "from" | "from_bits" | "new");
        match <[Value; 1]>::try_from(arguments) {
            Ok([value]) => value.then(if wraps { Step::Same } else { Step::Other }),
            Err(arguments) => {
                let mut arguments = arguments.into_iter();
                let first = arguments.next().unwrap_or(Value::Plain);
                self.result_of(&name, first, arguments.collect())
            }
        }
    }

    /// What `first.name(rest)` gives.
    fn result_of(&mut self, name: &str, first: Value, rest: Vec<Value>) -> Value {
        let step = match name {
            "max" => Step::Max,
            "min" => Step::Min,
            "bitor" => Step::SetBits,
            "bitand" => Step::ClearBits,
            _ if DISTINCT.contains(&name) => Step::Distinct,
            _ => Step::Other,
        };
        match (&first, &rest[..]) {
            (_, [] | [Value::Plain]) => first.then(step),
            (Value::Plain, [Value::Seen(..)]) if matches!(name, "max" | "min") => rest[0].clone().then(step),
            _ => Value::mixed(rest.into_iter().chain([first])),
        }
    }

    fn binary(&mut self, binary: &syn::ExprBinary) -> Value {
        let (left, right, op) = (&binary.left, &binary.right, &binary.op);
        if matches!(op, BinOp::And(_) | BinOp::Or(_)) {
            let first = self.expr(left);
            let second = self.within(condition(first.is_seen(), None), |walk| walk.expr(right));
            return Value::mixed([first, second]);
        }
        if is_assigning(op) {
            let value = self.expr(right);
            let target = self.expr(left);
            match (target, key(left)) {
                (Value::Target(path), _) => self.write(&value, "", &path, false),
                (before, Some(key)) => {
                    let result = combined(op, before, value);
                    self.variables.insert(key, result);
                }
                _ => {}
            }
            return Value::Plain;
        }
        let (left, right) = (self.expr(left), self.expr(right));
        combined(op, left, right)
    }

    fn assign(&mut self, left: &Expr, right: &Expr) -> Value {
        let value = self.expr(right);
        let is_variable = key(left).is_some() && !matches!(left, Expr::Unary(_));
        let target = self.expr(left);
        match (target, key(left)) {
            (Value::Target(path), _) if !matches!(left, Expr::Path(_)) => {
                self.write(&value, &text(right), &path, true);
            }
            (_, Some(key)) if is_variable => {
                self.variables.insert(key, value);
            }
            _ => {}
        }
        Value::Plain
    }

    fn control(&mut self, expr: &Expr) -> Value {
        let scope = self.shadowed.len();
        let value = match expr {
            Expr::If(choice) => self.choice(choice),
            Expr::Match(choice) => self.match_arms(choice),
            Expr::While(repeated) => {
                let test = |walk: &mut Walk| {
                    let value = walk.expr(&repeated.cond);
                    let context = condition(value.is_seen(), walk.compared(&repeated.cond, true));
                    walk.within(context, |walk| walk.block(&repeated.body));
                };
                self.twice(true, test)
            }
            Expr::Loop(repeated) => self.twice(true, |walk| drop(walk.block(&repeated.body))),
            Expr::ForLoop(repeated) => {
                let value = self.expr(&repeated.expr);
                self.bind(&repeated.pat, &value.clone().then(Step::Other));
                self.twice(false, |walk| drop(walk.block(&repeated.body)))
            }
            _ => Value::Plain,
        };
        self.end_scope(scope);
        value
    }

    /// Runs a loop's body, and once more for what one round leaves to the next.
    fn twice(&mut self, until_met: bool, mut body: impl FnMut(&mut Walk)) -> Value {
        let context = Context { repeats: until_met, ..condition(false, None) };
        self.within(context, |walk| {
            for _ in 0..2 {
                let before = walk.variables.clone();
                body(walk);
                let after = std::mem::take(&mut walk.variables);
                walk.variables = join(before, after);
                walk.ways_out = true;
            }
        });
        Value::Plain
    }

    fn choice(&mut self, choice: &syn::ExprIf) -> Value {
        let seen = self.expr(&choice.cond).is_seen();
        let then = condition(seen, self.compared(&choice.cond, true));
        let otherwise = condition(seen, self.compared(&choice.cond, false));
        self.branches(&mut [
            &mut |walk| walk.within(then.clone(), |walk| walk.block(&choice.then_branch)),
            &mut |walk| {
                let Some((_, expr)) = &choice.else_branch else { return Value::Plain };
                walk.within(otherwise.clone(), |walk| walk.expr(expr))
            },
        ])
    }

    fn match_arms(&mut self, choice: &syn::ExprMatch) -> Value {
        let value = self.expr(&choice.expr);
        let mut arms: Vec<_> = choice
            .arms
            .iter()
            .map(|arm| {
                let value = value.clone();
                move |walk: &mut Walk| {
                    let scope = walk.shadowed.len();
                    walk.bind(&arm.pat, &value);
                    let result = walk.within(condition(value.is_seen(), None), |walk| {
                        if let Some((_, guard)) = &arm.guard {
                            walk.expr(guard);
                        }
                        walk.expr(&arm.body)
                    });
                    walk.end_scope(scope);
                    result
                }
            })
            .collect();
        let mut ways: Vec<&mut dyn FnMut(&mut Walk) -> Value> = Vec::new();
        for arm in &mut arms {
            ways.push(arm);
        }
        self.branches(&mut ways)
    }

    /// What a condition compares the value seen with, if it is that which holds (or does not).
    fn compared(&mut self, test: &Expr, holds: bool) -> Option<(bool, String)> {
        match test {
            Expr::Paren(inner) => return self.compared(&inner.expr, holds),
            Expr::Binary(both) if matches!(both.op, BinOp::And(_)) && holds => {
                return self.compared(&both.left, true).or_else(|| self.compared(&both.right, true));
            }
            _ => {}
        }
        let Expr::Binary(binary) = test else { return None };
        let less = match binary.op {
            BinOp::Lt(_) | BinOp::Le(_) => true,
            BinOp::Gt(_) | BinOp::Ge(_) => false,
            _ => return None,
        };
        let (seen_in, out, depending) = (self.seen_in.clone(), self.ways_out, self.depending_ways_out);
        let sides = [self.expr(&binary.left), self.expr(&binary.right)];
        (self.seen_in, self.ways_out, self.depending_ways_out) = (seen_in, out, depending);
        let (greater, with) = match sides {
            [Value::Seen(Step::Same, _), Value::Plain] => (less, &binary.right),
            [Value::Plain, Value::Seen(Step::Same, _)] => (!less, &binary.left),
            _ => return None,
        };
        Some((greater == holds, text(with)))
    }

    fn way_out(&mut self, expr: &Expr) -> Value {
        let inner = match expr {
            Expr::Return(way) => way.expr.as_deref(),
            Expr::Break(way) => way.expr.as_deref(),
            Expr::Try(way) => Some(&*way.expr),
            _ => None,
        };
        let value = inner.map_or(Value::Plain, |inner| self.expr(inner));
        self.leave();
        self.depending_ways_out |= value.is_seen() && matches!(expr, Expr::Try(_));
        if matches!(expr, Expr::Try(_)) { value } else { Value::Never }
    }

    /// What runs at another time, or not at all.
    fn apart(&mut self, expr: &Expr) -> Value {
        let scope = self.shadowed.len();
        let value = self.within(condition(false, None), |walk| match expr {
            Expr::Closure(closure) => {
                for input in &closure.inputs {
                    walk.bind(input, &Value::Plain);
                }
                walk.expr(&closure.body)
            }
            Expr::Async(block) => walk.block(&block.block),
            _ => Value::Plain,
        });
        self.end_scope(scope);
        Value::mixed([value])
    }

    fn macro_call(&mut self, call: &syn::Macro) -> Value {
        let name = call.path.segments.last().map_or_else(String::new, |last| last.ident.to_string());
        let expressions = macros::expressions(call);
        let value = self.all(&expressions);
        let asserts = name.starts_with("assert") || matches!(name.as_str(), "ensure" | "ready" | "try");
        let leaves = LEAVING.contains(&name.as_str());
        if asserts || leaves {
            self.leave();
        }
        if leaves { Value::Never } else { value }
    }
}

fn rank(flow: &Flow) -> u32 {
    match flow {
        Flow::Unknown => 0,
        Flow::None => 1,
        Flow::Guarded { .. } => 2,
        Flow::Computed { .. } => 3,
    }
}

fn condition(depends: bool, compares: Option<(bool, String)>) -> Context {
    Context { id: 0, depends, compares, repeats: false }
}

fn join(one: BTreeMap<String, Value>, mut other: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let mut joined = BTreeMap::new();
    for (name, value) in one {
        let value = match other.remove(&name) {
            Some(other) => value.joined(other),
            None => value.joined(Value::Plain),
        };
        joined.insert(name, value);
    }
    joined.extend(other.into_iter().map(|(name, value)| (name, value.joined(Value::Plain))));
    joined
}

/// The expression as it is written, without what takes its address or looks behind it.
fn text(expr: &Expr) -> String {
    match expr {
        Expr::Reference(inner) => text(&inner.expr),
        Expr::Paren(inner) => text(&inner.expr),
        other => other.to_token_stream().to_string(),
    }
}

/// What a variable, or a field of one, is known by.
fn key(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Path(path) => path.path.get_ident().map(ToString::to_string),
        Expr::Field(field) => Some(format!("{}.{}", key(&field.base)?, field.member.to_token_stream())),
        Expr::Paren(inner) => key(&inner.expr),
        Expr::Unary(inner) if matches!(inner.op, syn::UnOp::Deref(_)) => key(&inner.expr),
        _ => None,
    }
}

fn is_assigning(op: &BinOp) -> bool {
    use BinOp::{
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
            | BitXorAssign(_)
            | BitAndAssign(_)
            | BitOrAssign(_)
            | ShlAssign(_)
            | ShrAssign(_)
    )
}

/// What an operator makes of two values.
fn combined(op: &BinOp, left: Value, right: Value) -> Value {
    use BinOp::{
        Add, AddAssign, BitAnd, BitAndAssign, BitOr, BitOrAssign, BitXor, BitXorAssign, Sub, SubAssign,
    };
    let step = match op {
        Add(_) | AddAssign(_) | Sub(_) | SubAssign(_) | BitXor(_) | BitXorAssign(_) => Step::Distinct,
        BitOr(_) | BitOrAssign(_) => Step::SetBits,
        BitAnd(_) | BitAndAssign(_) => Step::ClearBits,
        _ => Step::Other,
    };
    match (left.is_seen(), right.is_seen()) {
        (true, true) => Value::mixed([left, right]),
        (true, false) => left.then(step),
        (false, true) => right.then(step),
        (false, false) => Value::Plain,
    }
}

/// Collects a pattern's variables.
struct Idents(Vec<String>);

impl<'a> Visit<'a> for Idents {
    fn visit_pat_ident(&mut self, ident: &'a syn::PatIdent) {
        self.0.push(ident.ident.to_string());
        visit::visit_pat_ident(self, ident);
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
        between(&file, at(&program, from), at(&program, to))
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
        ] {
            assert_eq!(lock(body), flow, "{body}");
        }
    }
}
