//! What an expression is, as far as the way from a look to a write is concerned.

use std::collections::BTreeMap;

use quote::ToTokens as _;
use syn::visit::{self, Visit};
use syn::{BinOp, Expr};

use crate::model::flow::Step;

/// What an expression is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
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
    pub(super) fn is_seen(&self) -> bool {
        matches!(self, Value::Seen(..))
    }

    pub(super) fn then(self, step: Step) -> Value {
        match self {
            Value::Seen(before, path) => Value::Seen(compose(before, step), path),
            other => other,
        }
    }

    /// What is made of several values in a way that is not known.
    pub(super) fn mixed(values: impl IntoIterator<Item = Value>) -> Value {
        let seen = values.into_iter().any(|value| value.is_seen());
        if seen { Value::Seen(Step::Other, String::new()) } else { Value::Plain }
    }

    /// What is one of two values.
    pub(super) fn joined(self, other: Value) -> Value {
        match (self, other) {
            (Value::Never, value) | (value, Value::Never) => value,
            (one, other) if one == other => one,
            (one, other) => Value::mixed([one, other]),
        }
    }
}

pub(super) fn compose(before: Step, after: Step) -> Step {
    match (before, after) {
        (Step::Same, step) | (step, Step::Same) => step,
        (Step::Distinct, Step::Distinct) => Step::Distinct,
        _ => Step::Other,
    }
}

/// Methods whose result is their receiver's value, or stands for it.
pub(super) const TRANSPARENT: [&str; 21] = [
    "as_deref",
    "as_mut",
    "as_ptr",
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

/// Methods of collections that leave what was in there distinguishable.
pub(super) const ADDING: [&str; 6] = ["append", "extend", "insert", "push", "push_back", "push_str"];

/// Methods that look for themselves before they write.
pub(super) const CHECKING: [&str; 5] =
    ["compare_exchange", "entry", "get_or_insert", "get_or_insert_with", "try_insert"];

/// Methods of numbers that give another result for another receiver.
pub(super) const DISTINCT: [&str; 9] = [
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
pub(super) const LEAVING: [&str; 3] = ["bail", "panic", "unreachable"];

pub(super) fn join(
    one: BTreeMap<String, Value>,
    mut other: BTreeMap<String, Value>,
) -> BTreeMap<String, Value> {
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
pub(super) fn text(expr: &Expr) -> String {
    match expr {
        Expr::Reference(inner) => text(&inner.expr),
        Expr::Paren(inner) => text(&inner.expr),
        other => other.to_token_stream().to_string(),
    }
}

/// What a variable, or a field of one, is known by.
pub(super) fn key(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Path(path) => path.path.get_ident().map(ToString::to_string),
        Expr::Field(field) => Some(format!("{}.{}", key(&field.base)?, field.member.to_token_stream())),
        Expr::Paren(inner) => key(&inner.expr),
        Expr::Unary(inner) if matches!(inner.op, syn::UnOp::Deref(_)) => key(&inner.expr),
        _ => None,
    }
}

pub(super) fn is_assigning(op: &BinOp) -> bool {
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

/// What has these parts: another value in one of them makes another whole.
pub(super) fn contained(parts: Vec<Value>) -> Value {
    let mut seen = parts.into_iter().filter(Value::is_seen);
    match (seen.next(), seen.next()) {
        (None, _) => Value::Plain,
        (Some(Value::Seen(Step::Same | Step::Distinct, _)), None) => {
            Value::Seen(Step::Distinct, String::new())
        }
        (Some(one), other) => Value::mixed([one].into_iter().chain(other)),
    }
}

/// Whether a function's result is its one argument in another form.
pub(super) fn wraps(function: &Expr) -> bool {
    let Expr::Path(path) = function else { return false };
    let words: Vec<String> = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    let (last, of) = (words.last().map(String::as_str), words.iter().rev().nth(1).map(String::as_str));
    match (of, last) {
        (_, Some("Some" | "Ok" | "Wrapping")) => true,
        (Some("Box" | "Arc" | "Rc"), Some("new" | "into_raw" | "leak" | "from_raw")) => true,
        (Some(of), Some("from" | "from_bits")) => of.starts_with(|letter: char| letter.is_ascii_lowercase()),
        _ => false,
    }
}

/// What an operator makes of two values.
pub(super) fn combined(op: &BinOp, left: Value, right: Value) -> Value {
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
pub(super) struct Idents(pub(super) Vec<String>);

impl<'a> Visit<'a> for Idents {
    fn visit_pat_ident(&mut self, ident: &'a syn::PatIdent) {
        self.0.push(ident.ident.to_string());
        visit::visit_pat_ident(self, ident);
    }
}
