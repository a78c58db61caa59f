//! A package as rules see it: every function's steps, and what a call of a function comes to.
//!
//! Effects of calls are followed through functions of the package as far as it is certain which function a call
//! means, [`DEEPEST`] calls deep; a recursive call adds nothing.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::facts::{Expr, ExprId, Fate, Type};
use super::flow::{Held, Step, What, follow};
use super::known_types::see_through;
use super::link::{Def, ItemId, Linked, Site};
use super::places::{Acquisition, Place, Root};
use super::types::{Flavor, Ty, Types};

/// Effects further down are not seen.
const DEEPEST: usize = 6;
/// Methods that change a container.
pub const CHANGES: [&str; 14] = [
    "insert",
    "remove",
    "pop",
    "pop_front",
    "pop_back",
    "push",
    "push_back",
    "take",
    "swap_remove",
    "get_mut",
    "replace",
    "extend",
    "truncate",
    "drain",
];

/// What a join waits for.
pub const THREAD_END: &str = "the end of a thread";
/// What a sleep waits for.
pub const SLEEP: &str = "a sleep";

/// Of a function with more effects the first so many count.
const MOST_EFFECTS: usize = 48;

/// What a call of a function does, among other things.
#[derive(Clone, Debug)]
pub struct Effect {
    /// What it does.
    pub what: Deed,
    /// Where.
    pub at: Site,
    /// Whether every call does it.
    pub certain: bool,
    /// Whether, once the outermost of `via` is called, it is certain.
    pub certain_in_call: bool,
    /// The calls that lead there, outermost first.
    pub via: Vec<Site>,
}

/// What a function can do that its caller must know.
#[derive(Clone, Debug)]
pub enum Deed {
    /// It takes a lock. Its place begins at a parameter of the function, or at a static.
    Take(Acquisition),
    /// It changes what a lock protects, under that lock.
    Change(Acquisition),
    /// It blocks: on what.
    Block(&'static str),
    /// It starts a thread and does not wait for its end.
    Spawn,
    /// It forks.
    Fork,
}

/// A package.
pub struct Model<'a> {
    /// Its types.
    pub types: Types<'a>,
    steps: RefCell<HashMap<ItemId, Option<Rc<Vec<Step>>>>>,
    effects: RefCell<HashMap<ItemId, Option<Rc<Vec<Effect>>>>>,
}

impl<'a> Model<'a> {
    /// A model of the package.
    #[must_use]
    pub fn new(linked: &'a Linked<'a>) -> Model<'a> {
        Model { types: Types::new(linked), steps: RefCell::default(), effects: RefCell::default() }
    }

    /// The package's files and names.
    #[must_use]
    pub fn linked(&self) -> &'a Linked<'a> {
        self.types.linked
    }

    /// The steps of a function and its closures.
    #[must_use]
    pub fn steps(&self, id: ItemId) -> Rc<Vec<Step>> {
        if let Some(known) = self.steps.borrow().get(&id) {
            return known.clone().unwrap_or_default();
        }
        self.steps.borrow_mut().insert(id, None);
        let steps = Rc::new(follow(self, id));
        self.steps.borrow_mut().insert(id, Some(Rc::clone(&steps)));
        steps
    }

    /// What a call of a function does.
    #[must_use]
    pub fn effects(&self, id: ItemId) -> Rc<Vec<Effect>> {
        if let Some(known) = self.effects.borrow().get(&id) {
            return known.clone().unwrap_or_default();
        }
        self.effects.borrow_mut().insert(id, None);
        let mut effects = Vec::new();
        for step in self.steps(id).iter().filter(|step| !step.deferred) {
            effects.extend(self.effects_of(id, step));
            if effects.len() >= MOST_EFFECTS {
                break;
            }
        }
        let effects = Rc::new(effects);
        self.effects.borrow_mut().insert(id, Some(Rc::clone(&effects)));
        effects
    }

    /// What a step does, itself or by what it calls.
    #[must_use]
    pub fn effects_of(&self, id: ItemId, step: &Step) -> Vec<Effect> {
        let here = Site { file: id.0, at: step.at };
        let own = |what| {
            vec![Effect { what, at: here, certain: step.straight, certain_in_call: true, via: Vec::new() }]
        };
        match &step.what {
            What::Acquire(taken) => own(Deed::Take(taken.clone())),
            What::Other => match self.deed_of_other(id, step).or_else(|| self.change(id, step)) {
                Some(deed) => own(deed),
                None => Vec::new(),
            },
            What::Touch(true) => self.change(id, step).map(own).unwrap_or_default(),
            What::Wait(_) => own(Deed::Block("a condvar")),
            What::Own(target) if !self.linked().function(*target).is_async => {
                self.called(id, step, *target, here)
            }
            // The guard that an awaited call gives back counts as held from the call on.
            What::Await if step.held.iter().any(|held| held.value == step.expr) => Vec::new(),
            What::Await => match self.types.target(id, step.expr) {
                Some(target) if self.linked().function(target).is_async => {
                    self.called(id, step, target, here)
                }
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    fn called(&self, id: ItemId, step: &Step, target: ItemId, here: Site) -> Vec<Effect> {
        let mut found = Vec::new();
        for effect in self.effects(target).iter() {
            if effect.via.len() >= DEEPEST {
                continue;
            }
            let mut effect = effect.clone();
            if let Deed::Take(taken) | Deed::Change(taken) = &mut effect.what {
                taken.lock.place = self.seen_from(id, step.expr, &taken.lock.place);
            }
            effect.via.insert(0, here);
            effect.certain_in_call = effect.certain;
            effect.certain &= step.straight;
            found.push(effect);
        }
        found
    }

    /// A place in a function that `call` calls, as the caller sees it.
    fn seen_from(&self, id: ItemId, call: ExprId, place: &Place) -> Place {
        let Root::Local(local) = place.root else { return place.clone() };
        let function = self.linked().function(id);
        let arguments: Vec<ExprId> = match &function.exprs[call as usize] {
            Expr::Method(receiver, _, args) => {
                std::iter::once(*receiver).chain(args.iter().copied()).collect()
            }
            Expr::Call(_, args) => args.clone(),
            _ => Vec::new(),
        };
        match arguments.get(local as usize) {
            Some(&argument) => place.from(&self.types.place(id, argument)),
            None => Place { root: Root::Unknown, path: Vec::new() },
        }
    }

    /// The guard that a call of one of the package's functions gives back, if it is certain which.
    #[must_use]
    pub fn guard_given(&self, id: ItemId, call: ExprId, target: ItemId) -> Option<Acquisition> {
        let function = self.linked().function(target);
        if !gives_guard(self.linked().facts(target.0), &function.returns) {
            return None;
        }
        let steps = self.steps(target);
        let mut given = steps.iter().filter_map(|step| match &step.what {
            What::Acquire(taken) if step.fate == Fate::Returned && !step.deferred => Some(taken),
            _ => None,
        });
        let mut taken = given.next()?.clone();
        if given.next().is_some() {
            return None;
        }
        taken.lock.place = self.seen_from(id, call, &taken.lock.place);
        Some(taken)
    }

    /// The whole path of a function of another crate that an expression calls.
    #[must_use]
    pub fn external_call(&self, id: ItemId, expr: ExprId) -> Option<String> {
        let function = self.linked().function(id);
        let Expr::Call(callee, _) = &function.exprs[expr as usize] else { return None };
        let Expr::Path(path) = &function.exprs[*callee as usize] else { return None };
        match self.linked().resolve(id.0, function.inner, path)? {
            Def::External(path) => Some(path.join("::")),
            _ => None,
        }
    }

    /// The method that an expression calls, with its receiver and arguments.
    #[must_use]
    pub fn method_call(&self, id: ItemId, expr: ExprId) -> Option<(ExprId, &'a str, &'a [ExprId])> {
        let function = self.linked().function(id);
        match &function.exprs[expr as usize] {
            Expr::Method(receiver, name, args) => {
                Some((*receiver, self.linked().facts(id.0).name(*name), args))
            }
            _ => None,
        }
    }

    /// What a step changes under a lock.
    fn change(&self, id: ItemId, step: &Step) -> Option<Deed> {
        let written = match self.method_call(id, step.expr) {
            Some((receiver, method, _)) if CHANGES.contains(&method) => receiver,
            _ if matches!(step.what, What::Touch(true)) => step.expr,
            _ => return None,
        };
        let held = step.held.iter().rev().find(|held| self.comes_from(id, written, held))?;
        Some(Deed::Change(held.taken.clone()))
    }

    /// Whether an expression was got through a guard.
    #[must_use]
    pub fn comes_from(&self, id: ItemId, expr: ExprId, held: &Held) -> bool {
        self.comes_from_within(id, expr, held, 0)
    }

    fn comes_from_within(&self, id: ItemId, expr: ExprId, held: &Held, depth: u32) -> bool {
        let function = self.linked().function(id);
        if depth > 12 {
            return false;
        }
        let inner = |expr| self.comes_from_within(id, expr, held, depth + 1);
        match &function.exprs[expr as usize] {
            _ if expr == held.value => true,
            Expr::Local(local) => {
                let variable = &function.locals[*local as usize];
                held.local() == Some(*local) || variable.init.or(variable.part_of).is_some_and(inner)
            }
            Expr::Method(base, _, _)
            | Expr::Field(base, _)
            | Expr::Index(base, _)
            | Expr::Try(base)
            | Expr::Await(base) => inner(*base),
            _ => false,
        }
    }

    fn deed_of_other(&self, id: ItemId, step: &Step) -> Option<Deed> {
        if let Some(path) = self.external_call(id, step.expr) {
            return match path.as_str() {
                "std::thread::sleep" | "std::thread::sleep_ms" => Some(Deed::Block(SLEEP)),
                "std::thread::park" => Some(Deed::Block("an unpark")),
                "std::thread::spawn" => Some(Deed::Spawn),
                "libc::fork" | "nix::unistd::fork" => Some(Deed::Fork),
                path if path.ends_with("::block_on") => Some(Deed::Block("a future")),
                _ => None,
            };
        }
        let (receiver, name, args) = self.method_call(id, step.expr)?;
        let of = see_through(self.types.of(id, receiver));
        // Nothing else is joined without an argument.
        if name == "join" && args.is_empty() && of == Ty::Unknown {
            return Some(Deed::Block(THREAD_END));
        }
        let blocking = matches!(of, Ty::External(_, Flavor::Blocking, _));
        match (name, of.external()?) {
            ("join", "JoinHandle" | "ScopedJoinHandle") if args.is_empty() => Some(Deed::Block(THREAD_END)),
            ("recv", "Receiver") if args.is_empty() && blocking => Some(Deed::Block("a message")),
            ("wait", "Barrier") if blocking => Some(Deed::Block("a barrier")),
            ("spawn", "Builder") => Some(Deed::Spawn),
            _ => None,
        }
    }
}

/// Whether a type is a guard, or a result with one.
fn gives_guard(facts: &super::facts::FileFacts, ty: &Type) -> bool {
    match ty {
        Type::Path(path, args) => {
            path.last().is_some_and(|&last| facts.name(last).ends_with("Guard"))
                || args.iter().any(|arg| gives_guard(facts, arg))
        }
        _ => false,
    }
}
