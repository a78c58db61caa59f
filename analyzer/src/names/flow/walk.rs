//! Runs the code of a function, with what each variable holds at each point.

use std::collections::BTreeMap;

use proc_macro2::LineColumn;
use syn::visit::Visit as _;
use syn::{BinOp, Block, Expr, Pat, Stmt};

use super::value::{ADDING, Idents, Value, join, text};
use super::{Argument, Body};
use crate::model::flow::{Flow, Step, Test};

/// Code that runs under a condition, or apart from what surrounds it.
#[derive(Clone, Debug)]
pub(super) struct Context {
    id: u32,
    /// Whether the condition depends on what was seen.
    depends: bool,
    /// If it compares that: whether something is greater, and what.
    compares: Option<(bool, String)>,
    /// Whether it runs until a condition is met.
    repeats: bool,
}

pub(super) struct Walk {
    pub(super) from: Option<LineColumn>,
    pub(super) to: Option<LineColumn>,
    /// Which argument of the call at `to` is written; nothing where the call itself says it.
    pub(super) argument: Option<Argument>,
    /// Whether the function looks more than once.
    pub(super) looks_again: bool,
    pub(super) variables: BTreeMap<String, Value>,
    /// What variables held before ones of the same name came into scope.
    pub(super) shadowed: Vec<(String, Option<Value>)>,
    pub(super) contexts: Vec<Context>,
    next: u32,
    /// In which contexts the look was.
    pub(super) seen_in: Option<Vec<u32>>,
    /// Whether there was a way out since, and one that depends on what was seen.
    pub(super) ways_out: bool,
    pub(super) depending_ways_out: bool,
    /// Whether there was one at all.
    pub(super) ways_out_ever: bool,
    pub(super) found: Option<Flow>,
}

impl Walk {
    pub(super) fn new(from: Option<LineColumn>, to: Option<LineColumn>, argument: Option<Argument>) -> Walk {
        Walk {
            from,
            to,
            argument,
            looks_again: false,
            variables: BTreeMap::new(),
            shadowed: Vec::new(),
            contexts: Vec::new(),
            next: 0,
            seen_in: None,
            ways_out: false,
            depending_ways_out: false,
            ways_out_ever: false,
            found: None,
        }
    }

    pub(super) fn body(&mut self, body: Body<'_>) -> Value {
        match body {
            Body::Function(_, block) => self.block(block),
            Body::Closure(expr) => self.expr(expr),
        }
    }

    pub(super) fn ids(&self) -> Vec<u32> {
        self.contexts.iter().map(|context| context.id).collect()
    }

    pub(super) fn look(&mut self) -> Value {
        self.seen_in = Some(self.ids());
        (self.ways_out, self.depending_ways_out) = (false, false);
        Value::Seen(Step::Same, String::new())
    }

    /// A way out of what is being run.
    pub(super) fn leave(&mut self) {
        (self.ways_out, self.ways_out_ever) = (true, true);
        self.depending_ways_out |= self.contexts.iter().any(|context| context.depends);
    }

    /// Something is written to a field of what is written to.
    pub(super) fn write(&mut self, value: &Value, text: &str, path: &str, overwrites: bool) {
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
    pub(super) fn within<T>(&mut self, context: Context, run: impl FnOnce(&mut Walk) -> T) -> T {
        self.next += 1;
        self.contexts.push(Context { id: self.next, ..context });
        let result = run(self);
        self.contexts.pop();
        result
    }

    /// Runs one of several ways, as far as anybody knows, and joins what they leave.
    pub(super) fn branches(&mut self, ways: &mut [&mut dyn FnMut(&mut Walk) -> Value]) -> Value {
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

    pub(super) fn block(&mut self, block: &Block) -> Value {
        let scope = self.shadowed.len();
        let (mut value, mut ends) = (Value::Plain, false);
        for statement in &block.stmts {
            value = match statement {
                Stmt::Local(local) => {
                    self.local(local);
                    Value::Plain
                }
                Stmt::Expr(expr, semicolon) => match self.statement(expr, semicolon.is_some()) {
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

    /// An expression whose result is dropped, or that is the last of its block.
    fn statement(&mut self, expr: &Expr, is_dropped: bool) -> Value {
        let value = self.expr(expr);
        // Called for what it does to its receiver.
        if let Expr::MethodCall(call) = expr
            && is_dropped
        {
            let adds = ADDING.contains(&call.method.to_string().as_str());
            self.may_change(&call.receiver, if adds { Step::Distinct } else { Step::Other });
        }
        value
    }

    pub(super) fn end_scope(&mut self, scope: usize) {
        for (name, value) in self.shadowed.split_off(scope).into_iter().rev() {
            match value {
                Some(value) => self.variables.insert(name, value),
                None => self.variables.remove(&name),
            };
        }
    }

    pub(super) fn local(&mut self, local: &syn::Local) {
        let Some(init) = &local.init else { return self.bind(&local.pat, &Value::Plain) };
        let value = self.expr(&init.expr);
        if let Some((_, otherwise)) = &init.diverge {
            let context = condition(value.is_seen(), None);
            self.within(context, |walk| walk.expr(otherwise));
        }
        self.bind(&local.pat, &value);
    }

    /// Gives a pattern's variables their values.
    pub(super) fn bind(&mut self, pattern: &Pat, value: &Value) {
        match pattern {
            Pat::Ident(ident) => {
                let name = ident.ident.to_string();
                let field = format!("{name}.");
                self.variables.retain(|key, _| !key.starts_with(&field));
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

    pub(super) fn control(&mut self, expr: &Expr) -> Value {
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
    pub(super) fn twice(&mut self, until_met: bool, mut body: impl FnMut(&mut Walk)) -> Value {
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

    pub(super) fn choice(&mut self, choice: &syn::ExprIf) -> Value {
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

    pub(super) fn match_arms(&mut self, choice: &syn::ExprMatch) -> Value {
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
    pub(super) fn compared(&mut self, test: &Expr, holds: bool) -> Option<(bool, String)> {
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
}

pub(super) fn rank(flow: &Flow) -> u32 {
    match flow {
        Flow::Unknown => 0,
        Flow::None => 1,
        Flow::Guarded { .. } => 2,
        Flow::Computed { .. } => 3,
    }
}

pub(super) fn condition(depends: bool, compares: Option<(bool, String)>) -> Context {
    Context { id: 0, depends, compares, repeats: false }
}
