//! What each kind of expression gives, and does, when [`Walk`] runs it.

use quote::ToTokens as _;
use syn::spanned::Spanned as _;
use syn::{BinOp, Expr, Member};

use super::Argument;
use super::value::{
    CHECKING, DISTINCT, LEAVING, TRANSPARENT, Value, combined, contained, is_assigning, join, key, text,
    wraps,
};
use super::walk::{Walk, condition};
use crate::model::flow::{Flow, Step};
use crate::names::macros;

impl Walk {
    pub(super) fn all<'e>(&mut self, exprs: impl IntoIterator<Item = &'e Expr>) -> Value {
        let values: Vec<Value> = exprs.into_iter().map(|expr| self.expr(expr)).collect();
        Value::mixed(values)
    }

    pub(super) fn expr(&mut self, expr: &Expr) -> Value {
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
            Expr::Reference(inner) => {
                let value = self.expr(&inner.expr);
                if inner.mutability.is_some() {
                    self.may_change(&inner.expr, Step::Other);
                }
                value
            }
            Expr::RawAddr(inner) => self.expr(&inner.expr),
            Expr::Await(inner) => self.expr(&inner.base),
            Expr::Unary(unary) if matches!(unary.op, syn::UnOp::Deref(_)) => self.dereference(unary),
            Expr::Unary(unary) => {
                let value = self.expr(&unary.expr);
                value.then(Step::Distinct)
            }
            Expr::Cast(cast) => {
                let value = self.expr(&cast.expr);
                let target = cast.ty.to_token_stream().to_string();
                let wide = ["u64", "i64", "usize", "isize", "u128", "i128"].contains(&target.as_str());
                value.then(if wide || target.starts_with('*') { Step::Same } else { Step::Other })
            }
            Expr::Let(test) => {
                let value = self.expr(&test.expr);
                self.bind(&test.pat, &value);
                value.then(Step::Other)
            }
            Expr::Tuple(list) => self.parts(&list.elems),
            Expr::Array(list) => self.all(&list.elems),
            Expr::Repeat(repeat) => self.all([&*repeat.expr, &*repeat.len]),
            Expr::Index(index) => self.all([&*index.expr, &*index.index]),
            Expr::Range(range) => self.all(range.start.as_deref().into_iter().chain(range.end.as_deref())),
            Expr::Struct(made) => {
                self.parts(made.fields.iter().map(|field| &field.expr).chain(made.rest.as_deref()))
            }
            _ => Value::Plain,
        }
    }

    /// What a pointer points to, which may be what is looked at or written to.
    fn dereference(&mut self, pointer: &syn::ExprUnary) -> Value {
        let value = self.expr(&pointer.expr);
        let at = Some(pointer.span().start());
        if at == self.from {
            return self.look();
        }
        if at == self.to && self.argument.is_none() { Value::Target(String::new()) } else { value }
    }

    /// A variable, or a field of something.
    pub(super) fn place(&mut self, expr: &Expr) -> Value {
        match key(expr).and_then(|key| self.variables.get(&key)) {
            None => {}
            Some(Value::Plain) => return self.whole(expr),
            Some(value) => return value.clone(),
        }
        let Expr::Field(field) = expr else { return self.whole(expr) };
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

    /// A variable of which only fields are known.
    fn whole(&self, expr: &Expr) -> Value {
        let Some(name) = key(expr).map(|key| format!("{key}.")) else { return Value::Plain };
        let fields = self.variables.range(name.clone()..).take_while(|(key, _)| key.starts_with(&name));
        contained(fields.map(|(_, value)| value.clone()).collect())
    }

    /// Something made of parts.
    fn parts<'e>(&mut self, exprs: impl IntoIterator<Item = &'e Expr>) -> Value {
        let values = exprs.into_iter().map(|expr| self.expr(expr)).collect();
        contained(values)
    }

    /// Somebody else gets a variable and may change it.
    pub(super) fn may_change(&mut self, expr: &Expr, step: Step) {
        if let Some(value) = key(expr).and_then(|key| self.variables.get_mut(&key)) {
            *value = value.clone().then(step);
        }
    }

    pub(super) fn method_call(&mut self, call: &syn::ExprMethodCall) -> Value {
        let receiver = self.expr(&call.receiver);
        let arguments: Vec<Value> = call.args.iter().map(|argument| self.expr(argument)).collect();
        let name = call.method.to_string();
        let at = Some(call.method.span().start());
        if at == self.from {
            return self.look();
        }
        if at == self.to {
            let argument = self.argument_of(&name).map(|argument| argument.number);
            return self.write_argument(argument, &arguments, &call.args);
        }
        if TRANSPARENT.contains(&name.as_str()) && !arguments.iter().any(Value::is_seen) {
            return receiver;
        }
        if let Value::Target(path) = &receiver {
            if CHECKING.contains(&name.as_str()) {
                self.found = self.found.or(self.seen_in.as_ref().map(|_| Flow::None));
                return Value::Plain;
            }
            self.write(&Value::mixed(arguments), "", path, false);
            return Value::Plain;
        }
        self.result_of(&name, receiver, arguments)
    }

    /// Which argument of the call at `to` is written; nothing if it only gives what is written to.
    pub(super) fn argument_of(&self, name: &str) -> Option<Argument> {
        self.argument.or((name == "store").then_some(Argument { number: 0, of_method: true }))
    }

    /// The call that writes, of which this argument is written; or that gives what is written to.
    pub(super) fn write_argument<'e>(
        &mut self,
        number: Option<usize>,
        values: &[Value],
        exprs: impl IntoIterator<Item = &'e Expr>,
    ) -> Value {
        let Some(number) = number else { return Value::Target(String::new()) };
        if let Some((value, expr)) = values.get(number).zip(exprs.into_iter().nth(number)) {
            self.write(value, &text(expr), "", true);
        }
        Value::Plain
    }

    pub(super) fn call(&mut self, call: &syn::ExprCall) -> Value {
        let arguments: Vec<Value> = call.args.iter().map(|argument| self.expr(argument)).collect();
        let name = if let Expr::Path(path) = &*call.func { path.path.segments.last() } else { None };
        let name = name.map_or_else(String::new, |segment| segment.ident.to_string());
        let at = Some(call.span().start());
        if at == self.from {
            return self.look();
        }
        if at == self.to {
            let argument = self.argument_of(&name);
            let number = argument.map(|argument| argument.number + usize::from(argument.of_method));
            return self.write_argument(number, &arguments, &call.args);
        }
        if let Some(Value::Target(path)) =
            arguments.iter().find(|value| matches!(value, Value::Target(_))).cloned()
        {
            if name != "drop" {
                self.write(&Value::mixed(arguments), "", &path, false);
            }
            return Value::Plain;
        }
        let wraps = wraps(&call.func);
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
    pub(super) fn result_of(&mut self, name: &str, first: Value, rest: Vec<Value>) -> Value {
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

    pub(super) fn binary(&mut self, binary: &syn::ExprBinary) -> Value {
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

    pub(super) fn assign(&mut self, left: &Expr, right: &Expr) -> Value {
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

    pub(super) fn way_out(&mut self, expr: &Expr) -> Value {
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
    pub(super) fn apart(&mut self, expr: &Expr) -> Value {
        let (scope, before) = (self.shadowed.len(), self.variables.clone());
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
        let after = std::mem::take(&mut self.variables);
        self.variables = join(before, after);
        Value::mixed([value])
    }

    pub(super) fn macro_call(&mut self, call: &syn::Macro) -> Value {
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
