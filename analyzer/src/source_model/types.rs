//! Types of expressions, as far as what is written tells them.
//!
//! References, `Arc`, `Box` and their like are seen through: what counts is what a method call in the end
//! reaches. A type that is not known is [`Ty::Unknown`], and no rule builds on it.

use std::cell::RefCell;
use std::collections::HashMap;

use super::facts::{Expr, ExprId, Function, LocalId, Type};
use super::known_types::{
    SEEN_THROUGH, channel, element, element_of_map, external, join_handle, see_through, unwrapped,
};
use super::link::{Def, ItemId, Linked};

/// How a lock or channel waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flavor {
    /// It blocks the thread.
    Blocking,
    /// It suspends the task.
    Async,
}

/// A type.
#[derive(Clone, Debug, PartialEq)]
pub enum Ty {
    /// Not known.
    Unknown,
    /// One of the package's.
    Own(ItemId, Vec<Ty>),
    /// Another crate's, by its last word.
    External(String, Flavor, Vec<Ty>),
    /// A tuple.
    Tuple(Vec<Ty>),
    /// An array or slice.
    Slice(Box<Ty>),
    /// A type parameter, or something else that has a name only.
    Named(String),
}

impl Ty {
    /// Whether it is this type of another crate's that blocks.
    #[must_use]
    pub fn is_blocking(&self, name: &str) -> bool {
        matches!(self, Ty::External(own, Flavor::Blocking, _) if own == name)
    }

    /// Its name, if it is another crate's.
    #[must_use]
    pub fn external(&self) -> Option<&str> {
        match self {
            Ty::External(name, ..) => Some(name),
            _ => None,
        }
    }
}

/// Types of a package.
pub struct Types<'a> {
    /// The package.
    pub linked: &'a Linked<'a>,
    methods: HashMap<(ItemId, &'a str), Vec<ItemId>>,
    known: RefCell<HashMap<(ItemId, ExprId), Ty>>,
}

impl<'a> Types<'a> {
    /// Prepares the types of a package.
    #[must_use]
    pub fn new(linked: &'a Linked<'a>) -> Types<'a> {
        let mut types = Types { linked, methods: HashMap::new(), known: RefCell::default() };
        let mut methods: HashMap<_, Vec<ItemId>> = HashMap::new();
        for id in linked.functions() {
            let function = linked.function(id);
            let Some(of) = &function.self_type else { continue };
            if let Ty::Own(owner, _) = types.written(id.0, function.module, of, None) {
                let name = linked.facts(id.0).name(function.name);
                methods.entry((owner, name)).or_default().push(id);
            }
        }
        types.methods = methods;
        types
    }

    /// The type of the package's that a function is a method of.
    #[must_use]
    pub fn owner(&self, id: ItemId) -> Option<ItemId> {
        let function = self.linked.function(id);
        match self.written(id.0, function.module, function.self_type.as_ref()?, None) {
            Ty::Own(owner, _) => Some(owner),
            _ => None,
        }
    }

    /// The one method of this name that a type has.
    #[must_use]
    pub fn method(&self, owner: ItemId, name: &str) -> Option<ItemId> {
        match self.methods.get(&(owner, name)).map(Vec::as_slice) {
            Some([only]) => Some(*only),
            _ => None,
        }
    }

    /// A type as it is written in a module of a file, `Self` being the type of `function`.
    #[must_use]
    pub fn written(&self, file: usize, module: u32, ty: &Type, function: Option<ItemId>) -> Ty {
        self.written_within(file, module, ty, function, 0)
    }

    fn written_within(
        &self,
        file: usize,
        module: u32,
        ty: &Type,
        function: Option<ItemId>,
        depth: u32,
    ) -> Ty {
        if depth > 16 {
            return Ty::Unknown;
        }
        let inner = |ty: &Type| self.written_within(file, module, ty, function, depth + 1);
        match ty {
            Type::Reference(of) => inner(of),
            Type::Tuple(parts) => Ty::Tuple(parts.iter().map(inner).collect()),
            Type::Slice(of) => Ty::Slice(Box::new(inner(of))),
            Type::Path(path, args) => {
                let facts = self.linked.facts(file);
                if let [only] = &path[..] {
                    let name = facts.name(*only);
                    if name == "Self" {
                        return self.self_type(function, depth);
                    }
                }
                let args: Vec<Ty> = args.iter().map(inner).collect();
                match self.linked.resolve(file, module, path) {
                    Some(Def::Type(id)) => self.own(id, args, depth),
                    Some(Def::External(path)) => external(&path, args),
                    _ => Ty::Unknown,
                }
            }
            Type::Unknown | Type::Pointer(_) | Type::Function => Ty::Unknown,
        }
    }

    fn self_type(&self, function: Option<ItemId>, depth: u32) -> Ty {
        let Some(id) = function else { return Ty::Unknown };
        let of = self.linked.function(id);
        match &of.self_type {
            Some(ty) => self.written_within(id.0, of.module, ty, None, depth + 1),
            None => Ty::Unknown,
        }
    }

    /// A type of the package's; what an alias stands for.
    fn own(&self, id: ItemId, args: Vec<Ty>, depth: u32) -> Ty {
        let def = self.linked.type_def(id);
        match &def.alias {
            None => Ty::Own(id, args),
            Some(alias) => {
                let ty = self.written_within(id.0, def.module, alias, None, depth + 1);
                self.substitute(id, ty, &args, 0)
            }
        }
    }

    /// Puts type arguments in the place of a type's parameters.
    fn substitute(&self, id: ItemId, ty: Ty, args: &[Ty], depth: u32) -> Ty {
        let def = self.linked.type_def(id);
        let all = |tys: Vec<Ty>| tys.into_iter().map(|ty| self.substitute(id, ty, args, depth + 1)).collect();
        match ty {
            _ if depth > 16 => Ty::Unknown,
            Ty::Named(name) => {
                let facts = self.linked.facts(id.0);
                let at = def.generics.iter().position(|&param| facts.name(param) == name);
                at.and_then(|at| args.get(at).cloned()).unwrap_or(Ty::Named(name))
            }
            Ty::Own(other, inner) => Ty::Own(other, all(inner)),
            Ty::External(name, flavor, inner) => Ty::External(name, flavor, all(inner)),
            Ty::Tuple(inner) => Ty::Tuple(all(inner)),
            Ty::Slice(inner) => Ty::Slice(Box::new(self.substitute(id, *inner, args, depth + 1))),
            Ty::Unknown => Ty::Unknown,
        }
    }

    /// The type of an expression of a function.
    #[must_use]
    pub fn of(&self, function: ItemId, expr: ExprId) -> Ty {
        self.of_within(function, expr, 0)
    }

    fn of_within(&self, id: ItemId, expr: ExprId, depth: u32) -> Ty {
        if depth > 24 {
            return Ty::Unknown;
        }
        if let Some(known) = self.known.borrow().get(&(id, expr)) {
            return known.clone();
        }
        // What is being worked out is not known yet.
        self.known.borrow_mut().insert((id, expr), Ty::Unknown);
        let found = self.work_out(id, expr, depth + 1);
        self.known.borrow_mut().insert((id, expr), found.clone());
        found
    }

    fn work_out(&self, id: ItemId, expr: ExprId, depth: u32) -> Ty {
        let function = self.linked.function(id);
        let facts = self.linked.facts(id.0);
        match &function.exprs[expr as usize] {
            Expr::Local(local) => self.of_local(id, function, *local, depth),
            Expr::Path(path) => match self.linked.resolve(id.0, function.inner, path) {
                Some(Def::Static(of)) => {
                    let def = self.linked.static_def(of);
                    see_through(self.written(of.0, def.module, &def.ty, None))
                }
                _ => Ty::Unknown,
            },
            Expr::Field(base, name) => {
                let base = see_through(self.of_within(id, *base, depth));
                see_through(self.field(&base, facts.name(*name)))
            }
            Expr::Index(base, _) => element(self.of_within(id, *base, depth)),
            Expr::Try(inner) => unwrapped(self.of_within(id, *inner, depth)),
            Expr::Await(inner) => self.of_within(id, *inner, depth),
            Expr::Call(callee, args) => self.of_call(id, *callee, args, depth),
            Expr::Method(receiver, name, args) => {
                self.of_method(id, *receiver, facts.name(*name), args, depth)
            }
            Expr::Struct(path, _) => match self.linked.resolve(id.0, function.inner, path) {
                Some(Def::Type(of)) => Ty::Own(of, Vec::new()),
                _ if path.len() == 1 && facts.name(path[0]) == "Self" => self.self_type(Some(id), depth),
                _ => Ty::Unknown,
            },
            _ => Ty::Unknown,
        }
    }

    fn of_local(&self, id: ItemId, function: &Function, local: LocalId, depth: u32) -> Ty {
        let local = &function.locals[local as usize];
        if let Some(ty) = &local.ty {
            let written = see_through(self.written_within(id.0, function.inner, ty, Some(id), depth));
            // `let x: Arc<_> = …`
            if !matches!(written, Ty::Unknown) || local.init.is_none() {
                return written;
            }
        }
        if let Some(init) = local.init {
            return self.of_within(id, init, depth);
        }
        let Some(whole) = local.part_of else { return Ty::Unknown };
        let variant = local.variant.map(|word| self.linked.facts(id.0).name(word));
        match variant {
            None => self.of_within(id, whole, depth),
            Some("Ok" | "Some") => unwrapped(self.of_within(id, whole, depth)),
            Some(_) => Ty::Unknown,
        }
    }

    fn field(&self, base: &Ty, name: &str) -> Ty {
        match base {
            Ty::Own(of, args) => {
                let def = self.linked.type_def(*of);
                let facts = self.linked.facts(of.0);
                let field = def.fields.iter().find(|(field, _)| facts.name(*field) == name);
                let Some((_, ty)) = field else { return Ty::Unknown };
                let ty = self.generic(*of, ty);
                self.substitute(*of, ty, args, 0)
            }
            Ty::Tuple(parts) => {
                name.parse::<usize>().ok().and_then(|at| parts.get(at).cloned()).unwrap_or(Ty::Unknown)
            }
            _ => Ty::Unknown,
        }
    }

    /// A field's type, its type's parameters as names.
    fn generic(&self, of: ItemId, ty: &Type) -> Ty {
        let def = self.linked.type_def(of);
        if let Type::Path(path, args) = ty
            && let ([only], []) = (&path[..], &args[..])
            && def.generics.contains(only)
        {
            return Ty::Named(self.linked.facts(of.0).name(*only).to_owned());
        }
        match ty {
            Type::Reference(inner) => self.generic(of, inner),
            Type::Path(path, args) if !args.is_empty() => {
                let args = args.iter().map(|arg| self.generic(of, arg)).collect();
                match self.linked.resolve(of.0, def.module, path) {
                    Some(Def::Type(id)) => self.own(id, args, 1),
                    Some(Def::External(path)) => external(&path, args),
                    _ => Ty::Unknown,
                }
            }
            _ => self.written(of.0, def.module, ty, None),
        }
    }

    fn of_call(&self, id: ItemId, callee: ExprId, args: &[ExprId], depth: u32) -> Ty {
        let function = self.linked.function(id);
        let facts = self.linked.facts(id.0);
        let Expr::Path(path) = &function.exprs[callee as usize] else { return Ty::Unknown };
        if let Some(target) = self.target_of_path(id, path) {
            return self.returned(target, None, depth);
        }
        let Some((&last, before)) = path.split_last() else { return Ty::Unknown };
        let argument = || args.first().map_or(Ty::Unknown, |&arg| self.of_within(id, arg, depth));
        let name = facts.name(last);
        if before.is_empty() {
            return if matches!(name, "Ok" | "Some") { argument() } else { Ty::Unknown };
        }
        match self.linked.resolve(id.0, function.inner, before) {
            Some(Def::External(path)) => {
                let ty = external(&path, vec![argument()]);
                match (ty, name) {
                    (Ty::External(of, ..), _) if SEEN_THROUGH.contains(&of.as_str()) => argument(),
                    (ty @ Ty::External(..), "new" | "default" | "from" | "with_capacity" | "const_new") => ty,
                    (_, "spawn") if path.last().is_some_and(|last| last == "thread") => join_handle(),
                    (_, "channel" | "sync_channel" | "unbounded" | "bounded") => channel(&path),
                    _ => Ty::Unknown,
                }
            }
            Some(Def::Type(of)) if matches!(name, "new" | "default") => Ty::Own(of, Vec::new()),
            _ => Ty::Unknown,
        }
    }

    fn of_method(&self, id: ItemId, receiver: ExprId, name: &str, args: &[ExprId], depth: u32) -> Ty {
        let receiver = see_through(self.of_within(id, receiver, depth));
        if let Ty::Own(of, generics) = &receiver
            && let Some(target) = self.method(*of, name)
        {
            let ty = self.returned(target, Some(receiver.clone()), depth);
            return self.substitute(*of, ty, generics, 0);
        }
        match (name, &receiver) {
            ("lock" | "read" | "write" | "lock_arc" | "upgradable_read", Ty::External(lock, _, content))
                if args.is_empty()
                    && matches!(lock.as_str(), "Mutex" | "RwLock" | "FairMutex" | "ReentrantMutex") =>
            {
                content.first().cloned().map_or(Ty::Unknown, see_through)
            }
            (
                "unwrap" | "expect" | "unwrap_or_else" | "unwrap_or_default" | "take" | "get" | "get_mut"
                | "first" | "last" | "pop" | "remove" | "get_or_init" | "get_or_insert_with" | "entry"
                | "or_default" | "or_insert_with",
                _,
            ) => unwrapped(element_of_map(receiver)),
            (
                "clone" | "as_ref" | "as_mut" | "borrow" | "borrow_mut" | "deref" | "deref_mut" | "to_owned"
                | "as_deref" | "into_inner" | "map_err" | "ok" | "get_ref" | "by_ref",
                _,
            ) => receiver,
            ("name" | "stack_size", Ty::External(of, ..)) if of == "Builder" => receiver,
            ("spawn", Ty::External(of, ..)) if matches!(of.as_str(), "Builder" | "Scope") => join_handle(),
            _ => Ty::Unknown,
        }
    }

    /// The function of the package's that a path names.
    #[must_use]
    pub fn target_of_path(&self, id: ItemId, path: &[u32]) -> Option<ItemId> {
        let function = self.linked.function(id);
        let facts = self.linked.facts(id.0);
        if let Some(Def::Function(target)) = self.linked.resolve(id.0, function.inner, path) {
            return Some(target);
        }
        let (&last, of) = path.split_last()?;
        let owner = match of {
            [] => return None,
            [only] if facts.name(*only) == "Self" => self.owner(id)?,
            _ => match self.linked.resolve(id.0, function.inner, of)? {
                Def::Type(owner) => match self.own(owner, Vec::new(), 0) {
                    Ty::Own(owner, _) => owner,
                    _ => return None,
                },
                _ => return None,
            },
        };
        self.method(owner, facts.name(last))
    }

    /// The function of the package's that a call means, if that is certain.
    #[must_use]
    pub fn target(&self, id: ItemId, expr: ExprId) -> Option<ItemId> {
        let function = self.linked.function(id);
        match &function.exprs[expr as usize] {
            Expr::Call(callee, _) => match &function.exprs[*callee as usize] {
                Expr::Path(path) => self.target_of_path(id, path),
                _ => None,
            },
            Expr::Method(receiver, name, _) => match see_through(self.of(id, *receiver)) {
                Ty::Own(owner, _) => self.method(owner, self.linked.facts(id.0).name(*name)),
                _ => None,
            },
            _ => None,
        }
    }

    /// The return type of a function of the package's.
    fn returned(&self, target: ItemId, receiver: Option<Ty>, depth: u32) -> Ty {
        let function = self.linked.function(target);
        if let (Type::Path(path, _), Some(receiver)) = (strip(&function.returns), receiver)
            && let [only] = &path[..]
            && self.linked.facts(target.0).name(*only) == "Self"
        {
            return receiver;
        }
        see_through(self.written_within(target.0, function.module, &function.returns, Some(target), depth))
    }
}

fn strip(ty: &Type) -> &Type {
    match ty {
        Type::Reference(inner) => strip(inner),
        other => other,
    }
}
