//! Which object an expression names, and which lock it takes.
//!
//! Two expressions of a function name the same object if their [`Place`]s are equal and [certain]: one variable,
//! static or `self`, and the same fields. An element of a collection is never certain to be the same.
//!
//! [certain]: Place::is_certain

use super::facts::{Expr, ExprId, LocalId};
use super::known_types::see_through;
use super::link::{Def, ItemId};
use super::types::{Flavor, Ty, Types};

/// Where a [`Place`] begins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Root {
    /// A variable of the function.
    Local(LocalId),
    /// A static.
    Static(ItemId),
    /// What a function without arguments gives back: mostly a static.
    Given(ItemId),
    /// Not known.
    Unknown,
}

/// An object, as a way to get to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Where the way begins.
    pub root: Root,
    /// The fields on the way; `[]` is an element, `name()` what a method gives a reference to.
    pub path: Vec<String>,
}

impl Place {
    /// Whether equal places are the same object.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        self.root != Root::Unknown && !self.path.iter().any(|step| step == "[]")
    }

    /// The same way from another beginning.
    #[must_use]
    pub fn from(&self, beginning: &Place) -> Place {
        let path = beginning.path.iter().chain(&self.path).cloned().collect();
        Place { root: beginning.root.clone(), path }
    }
}

/// All objects that are the same field of a type, or one static.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// A static.
    Static(ItemId),
    /// A field of a type of the package's.
    Field(ItemId, String),
}

/// What a lock is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockKind {
    /// One holder at a time.
    Mutex,
    /// Many readers or one writer.
    RwLock,
    /// Whoever holds it may take it again.
    Reentrant,
}

/// How a lock is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Alone.
    Exclusive,
    /// Together with others.
    Shared,
    /// Shared, to become exclusive later.
    Upgradable,
}

/// A lock that an expression takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Which object.
    pub place: Place,
    /// Which kind of object.
    pub class: Option<Class>,
    /// What kind of lock.
    pub kind: LockKind,
    /// How it waits.
    pub flavor: Flavor,
    /// Its name, for people.
    pub name: String,
}

/// A call that takes a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acquisition {
    /// The lock.
    pub lock: Lock,
    /// How.
    pub mode: Mode,
    /// Whether it gives up rather than waits.
    pub tries: bool,
}

impl Acquisition {
    /// Whether the one who holds the lock in `held` mode waits for itself here.
    #[must_use]
    pub fn excludes(&self, held: Mode) -> bool {
        match self.lock.kind {
            LockKind::Reentrant => false,
            LockKind::Mutex => true,
            LockKind::RwLock => {
                self.mode != Mode::Shared && (held, self.mode) != (Mode::Shared, Mode::Upgradable)
                    || held == Mode::Exclusive
            }
        }
    }
}

/// Names by which locks are taken.
fn mode_of(method: &str) -> Option<(Mode, bool)> {
    Some(match method {
        "lock" | "lock_arc" | "write" | "write_arc" | "blocking_lock" | "blocking_write" => {
            (Mode::Exclusive, false)
        }
        "read" | "read_arc" | "blocking_read" => (Mode::Shared, false),
        "read_recursive" => (Mode::Shared, true),
        "upgradable_read" => (Mode::Upgradable, false),
        "try_lock" | "try_write" | "try_lock_for" | "try_lock_until" | "try_write_for" | "try_lock_arc" => {
            (Mode::Exclusive, true)
        }
        "try_read" | "try_read_for" | "try_upgradable_read" => (Mode::Shared, true),
        _ => return None,
    })
}

impl Types<'_> {
    /// Where an expression's object is.
    #[must_use]
    pub fn place(&self, id: ItemId, expr: ExprId) -> Place {
        self.place_within(id, expr, 0)
    }

    fn place_within(&self, id: ItemId, expr: ExprId, depth: u32) -> Place {
        let unknown = || Place { root: Root::Unknown, path: Vec::new() };
        if depth > 24 {
            return unknown();
        }
        let function = self.linked.function(id);
        let facts = self.linked.facts(id.0);
        let inner = |expr| self.place_within(id, expr, depth + 1);
        let step = |mut place: Place, step: String| {
            place.path.push(step);
            place
        };
        match &function.exprs[expr as usize] {
            Expr::Local(local) => self.place_of_local(id, *local, depth),
            Expr::Path(path) => match self.linked.resolve(id.0, function.inner, path) {
                Some(Def::Static(of)) => Place { root: Root::Static(of), path: Vec::new() },
                _ => unknown(),
            },
            Expr::Field(base, name) => step(inner(*base), facts.name(*name).to_owned()),
            Expr::Index(base, _) => step(inner(*base), "[]".to_owned()),
            Expr::Await(value) | Expr::Try(value) => inner(*value),
            Expr::Call(callee, args) => self.place_of_call(id, *callee, args, depth),
            Expr::Method(receiver, name, args) => {
                let name = facts.name(*name);
                match name {
                    "clone" | "as_ref" | "as_mut" | "borrow" | "borrow_mut" | "deref" | "deref_mut"
                    | "unwrap" | "expect" | "to_owned" | "as_deref" | "get_ref" | "by_ref"
                    | "as_deref_mut" | "ok" => inner(*receiver),
                    "lock" | "read" | "write" if args.is_empty() => step(inner(*receiver), "()".to_owned()),
                    "get" | "get_mut" | "entry" | "first" | "last" | "next" => {
                        step(inner(*receiver), "[]".to_owned())
                    }
                    _ if args.is_empty() && self.gives_reference(id, expr) => {
                        step(inner(*receiver), format!("{name}()"))
                    }
                    _ => unknown(),
                }
            }
            _ => unknown(),
        }
    }

    fn place_of_local(&self, id: ItemId, local: LocalId, depth: u32) -> Place {
        let this = Place { root: Root::Local(local), path: Vec::new() };
        let variable = &self.linked.function(id).locals[local as usize];
        if variable.mutable {
            return this;
        }
        let Some(init) = variable.init else { return this };
        let of_init = self.place_within(id, init, depth + 1);
        if of_init.root == Root::Unknown { this } else { of_init }
    }

    fn place_of_call(&self, id: ItemId, callee: ExprId, args: &[ExprId], depth: u32) -> Place {
        let unknown = Place { root: Root::Unknown, path: Vec::new() };
        let function = self.linked.function(id);
        let Expr::Path(path) = &function.exprs[callee as usize] else { return unknown };
        let facts = self.linked.facts(id.0);
        let words: Vec<&str> = path.iter().map(|&word| facts.name(word)).collect();
        match (&words[..], args) {
            ([.., "Arc" | "Rc", "clone"] | [.., "Arc" | "Rc" | "Pin", "as_ref"], [of]) => {
                self.place_within(id, *of, depth + 1)
            }
            (_, []) => match self.target_of_path(id, path) {
                Some(target) if gives_static(self.linked.function(target)) => {
                    Place { root: Root::Given(target), path: Vec::new() }
                }
                _ => unknown,
            },
            _ => unknown,
        }
    }

    /// Whether a call without arguments gives a reference, so that two calls give the same object.
    fn gives_reference(&self, id: ItemId, expr: ExprId) -> bool {
        let target = self.target(id, expr);
        target.is_some_and(|target| {
            matches!(self.linked.function(target).returns, super::facts::Type::Reference(_))
        })
    }

    /// The lock that a call of a method takes, if it is one.
    #[must_use]
    pub fn acquisition(&self, id: ItemId, expr: ExprId) -> Option<Acquisition> {
        let function = self.linked.function(id);
        let Expr::Method(receiver, name, args) = &function.exprs[expr as usize] else { return None };
        let method = self.linked.facts(id.0).name(*name);
        let (mode, tries) = mode_of(method)?;
        if !(args.is_empty() || tries) {
            return None;
        }
        let Ty::External(lock, flavor, _) = see_through(self.of(id, *receiver)) else { return None };
        let kind = match lock.as_str() {
            "Mutex" | "FairMutex" | "SpinMutex" => LockKind::Mutex,
            "RwLock" => LockKind::RwLock,
            "ReentrantMutex" | "ReentrantLock" => LockKind::Reentrant,
            _ => return None,
        };
        let fits = match kind {
            LockKind::RwLock => !method.contains("lock"),
            _ => method.contains("lock"),
        };
        fits.then(|| Acquisition { lock: self.lock(id, *receiver, kind, flavor), mode, tries })
    }

    /// A lock that an expression names.
    #[must_use]
    pub fn lock(&self, id: ItemId, expr: ExprId, kind: LockKind, flavor: Flavor) -> Lock {
        let place = self.place(id, expr);
        let class = self.class(id, expr, 0);
        let name = self.name_of(id, &place, class.as_ref(), expr);
        Lock { place, class, kind, flavor, name }
    }

    /// What kind of object an expression names.
    #[must_use]
    pub fn class(&self, id: ItemId, expr: ExprId, depth: u32) -> Option<Class> {
        if depth > 12 {
            return None;
        }
        let function = self.linked.function(id);
        let facts = self.linked.facts(id.0);
        match &function.exprs[expr as usize] {
            Expr::Local(local) => {
                let local = &function.locals[*local as usize];
                self.class(id, local.init?, depth + 1)
            }
            Expr::Path(path) => match self.linked.resolve(id.0, function.inner, path)? {
                Def::Static(of) => Some(Class::Static(of)),
                _ => None,
            },
            Expr::Field(base, name) => match see_through(self.of(id, *base)) {
                Ty::Own(owner, _) => Some(Class::Field(owner, facts.name(*name).to_owned())),
                _ => None,
            },
            Expr::Method(receiver, name, _)
                if matches!(
                    facts.name(*name),
                    "clone" | "as_ref" | "unwrap" | "expect" | "deref" | "borrow"
                ) =>
            {
                self.class(id, *receiver, depth + 1)
            }
            Expr::Call(_, args) if args.len() == 1 => self.class(id, args[0], depth + 1),
            _ => None,
        }
    }

    /// What a lock or other object is called.
    #[must_use]
    pub fn name_of(&self, id: ItemId, place: &Place, class: Option<&Class>, expr: ExprId) -> String {
        match class {
            Some(Class::Static(of)) => {
                let facts = self.linked.facts(of.0);
                return facts.name(self.linked.static_def(*of).name).to_owned();
            }
            Some(Class::Field(of, field)) => {
                let facts = self.linked.facts(of.0);
                return format!("{}.{field}", facts.name(self.linked.type_def(*of).name));
            }
            None => {}
        }
        let function = self.linked.function(id);
        let facts = self.linked.facts(id.0);
        let mut words = vec![match &place.root {
            Root::Local(local) => facts.name(function.locals[*local as usize].name).to_owned(),
            Root::Static(of) => self.linked.facts(of.0).name(self.linked.static_def(*of).name).to_owned(),
            Root::Given(of) => format!("{}()", self.linked.facts(of.0).name(self.linked.function(*of).name)),
            Root::Unknown => return written(self, id, expr, 0),
        }];
        words.extend(place.path.iter().filter(|step| *step != "()").cloned());
        words.join(".").replace(".[]", "[…]")
    }
}

/// An expression, roughly as it is written.
fn written(types: &Types<'_>, id: ItemId, expr: ExprId, depth: u32) -> String {
    let function = types.linked.function(id);
    let facts = types.linked.facts(id.0);
    if depth > 6 {
        return "…".to_owned();
    }
    match &function.exprs[expr as usize] {
        Expr::Local(local) => facts.name(function.locals[*local as usize].name).to_owned(),
        Expr::Path(path) => path.iter().map(|&word| facts.name(word)).collect::<Vec<_>>().join("::"),
        Expr::Field(base, name) => format!("{}.{}", written(types, id, *base, depth + 1), facts.name(*name)),
        Expr::Index(base, _) => format!("{}[…]", written(types, id, *base, depth + 1)),
        Expr::Method(base, name, args) => {
            let args = if args.is_empty() { "" } else { "…" };
            format!("{}.{}({args})", written(types, id, *base, depth + 1), facts.name(*name))
        }
        Expr::Call(callee, args) => {
            let args = if args.is_empty() { "" } else { "…" };
            format!("{}({args})", written(types, id, *callee, depth + 1))
        }
        Expr::Await(base) | Expr::Try(base) => written(types, id, *base, depth + 1),
        _ => "…".to_owned(),
    }
}

/// Whether a function without arguments gives back a reference, which can only be one to a static.
fn gives_static(function: &super::facts::Function) -> bool {
    function.params == 0 && matches!(function.returns, super::facts::Type::Reference(_))
}
