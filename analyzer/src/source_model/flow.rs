//! Follows each function with the guards that it holds.
//!
//! Invariant: a lock counts as held at a step only if it is held on *every* way that leads there, given what
//! [`super::extract`] knows of lifetimes. Where ways meet, what only some of them hold is forgotten.

use super::facts::{Expr, ExprId, Fate, Function, LocalId, Op, Pos};
use super::link::ItemId;
use super::model::Model;
use super::places::{Acquisition, Mode};
use super::types::Types;

/// A step of a function that rules look at.
#[derive(Clone, Debug)]
pub struct Step {
    /// What is done.
    pub what: What,
    /// Where.
    pub at: Pos,
    /// The expression.
    pub expr: ExprId,
    /// What becomes of its value.
    pub fate: Fate,
    /// Guards that are held.
    pub held: Vec<Held>,
    /// How many loops of this body are around it.
    pub loops: u32,
    /// Whether it happens whenever the body runs.
    pub straight: bool,
    /// In which closure it is, if in one.
    pub closure: Option<u32>,
    /// Whether that closure runs at another time than what is around it.
    pub deferred: bool,
    /// Conditions of the branches around it, outermost first: number of the branch and of the way.
    pub branches: Vec<(u32, u32)>,
    /// What decides about the branches around it.
    pub conditions: Vec<ExprId>,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum What {
    /// It takes a lock.
    Acquire(Acquisition),
    /// It calls a function of the package's.
    Own(ItemId),
    /// It calls something else.
    Other,
    /// It waits on a condvar, giving up a guard.
    Wait(Option<Box<Held>>),
    /// It awaits.
    Await,
    /// It reads or writes a static.
    Touch(bool),
    /// A closure begins here; what it is handed to, and whether it is run at once.
    Closure(u32, bool),
}

/// A guard that is held.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// The lock and how it was taken.
    pub taken: Acquisition,
    /// Where.
    pub at: Pos,
    /// The expression that took it.
    pub value: ExprId,
    /// Who drops it.
    holder: Holder,
    /// Whether it is a temporary that lives longer than its expression.
    pub temporary: bool,
    /// Number of the step at which it was taken.
    pub section: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    Local(LocalId),
    /// Temporaries of the surrounding `Temps` of this depth.
    Temps(u32),
    /// Temporaries that live as long as a block of this depth.
    Scope(u32),
}

/// All steps of a function, those of its closures after it.
#[must_use]
pub fn follow(model: &Model<'_>, id: ItemId) -> Vec<Step> {
    let types = &model.types;
    let function = types.linked.function(id);
    let mut flow = Flow::new(model, id, function);
    flow.run(&function.body);
    // An outer closure comes after those in it.
    for number in (0..u32::try_from(function.closures.len()).unwrap_or(u32::MAX)).rev() {
        let closure = &function.closures[number as usize];
        if !flow.inlined.contains(&number) {
            flow.state = State::default();
            (flow.loops, flow.closure, flow.left, flow.deferred) = (0, Some(number), false, true);
            flow.branches.clear();
            flow.conditions.clear();
            flow.run(&closure.body);
        }
    }
    flow.steps
}

#[derive(Clone, Debug, Default)]
struct State {
    held: Vec<Held>,
    /// Nothing gets here.
    gone: bool,
}

struct Flow<'a> {
    model: &'a Model<'a>,
    types: &'a Types<'a>,
    id: ItemId,
    function: &'a Function,
    steps: Vec<Step>,
    state: State,
    temps: u32,
    scopes: u32,
    loops: u32,
    branches: Vec<(u32, u32)>,
    conditions: Vec<ExprId>,
    next_branch: u32,
    /// A way has left the function before.
    left: bool,
    closure: Option<u32>,
    deferred: bool,
    /// Guards that were moved into the call that follows.
    moved: Vec<(Option<LocalId>, Held)>,
    /// Closures that were run where they are made.
    inlined: Vec<u32>,
    /// States at the `break`s of the loops around.
    breaks: Vec<Vec<State>>,
    next_section: u32,
}

/// What a closure handed to one of these does is done at once, if at all.
const AT_ONCE: [&str; 46] = [
    "map",
    "and_then",
    "or_else",
    "unwrap_or_else",
    "map_or",
    "map_or_else",
    "for_each",
    "then",
    "with",
    "retain",
    "filter",
    "any",
    "all",
    "find",
    "position",
    "fold",
    "filter_map",
    "flat_map",
    "or_insert_with",
    "sort_by",
    "sort_by_key",
    "is_some_and",
    "is_ok_and",
    "map_err",
    "inspect",
    "call_once",
    "call_once_force",
    "get_or_init",
    "get_or_insert_with",
    "get_or_try_init",
    "catch_unwind",
    "scope",
    "block_in_place",
    "with_borrow",
    "with_borrow_mut",
    "and_modify",
    "ok_or_else",
    "try_for_each",
    "max_by_key",
    "min_by_key",
    "partition",
    "update",
    "with_mut",
    "take_while",
    "entry",
    "in_scope",
];

const WAITS: [&str; 7] =
    ["wait", "wait_while", "wait_timeout", "wait_timeout_while", "wait_timeout_ms", "wait_for", "wait_until"];

impl<'a> Flow<'a> {
    fn new(model: &'a Model<'a>, id: ItemId, function: &'a Function) -> Flow<'a> {
        Flow {
            model,
            types: &model.types,
            id,
            function,
            steps: Vec::new(),
            state: State::default(),
            temps: 0,
            scopes: 0,
            loops: 0,
            branches: Vec::new(),
            conditions: Vec::new(),
            next_branch: 0,
            left: false,
            closure: None,
            deferred: false,
            moved: Vec::new(),
            inlined: Vec::new(),
            breaks: Vec::new(),
            next_section: 0,
        }
    }

    fn run(&mut self, ops: &[Op]) {
        for op in ops {
            if self.state.gone {
                return;
            }
            self.op(op);
        }
    }

    fn op(&mut self, op: &Op) {
        match op {
            Op::Scope(ended, inner) => {
                self.scopes += 1;
                let depth = self.scopes;
                self.run(inner);
                self.state.held.retain(|held| match held.holder {
                    Holder::Scope(own) => own != depth,
                    Holder::Local(local) => !ended.contains(&local),
                    Holder::Temps(_) => true,
                });
                self.scopes -= 1;
            }
            Op::Temps(inner) => {
                self.temps += 1;
                self.run(inner);
                self.end_temps();
                self.temps -= 1;
                self.moved.clear();
            }
            Op::EndTemps => self.end_temps(),
            Op::Call { expr, at, fate } => self.call(*expr, *at, *fate),
            Op::Move { from, fate } => self.moves(*from, *fate),
            Op::Part { local, of } => self.part(*local, *of),
            Op::Refuted(value) => {
                let value = self.core(*value);
                self.state.held.retain(|held| !(held.taken.tries && held.value == value));
            }
            Op::Assign(local, inner) => {
                let before = self.next_section;
                self.run(inner);
                self.state.held.retain(|held| held.holder != Holder::Local(*local) || held.section >= before);
            }
            Op::Branch(condition, ways) => self.branch(*condition, ways),
            Op::Loop(inner) => self.repeat(inner),
            Op::Await(expr, at) => self.awaits(*expr, *at),
            Op::Closure { id, to } => self.closure_made(*id, *to),
            Op::Touch { expr, at, write } => self.step(What::Touch(*write), *expr, *at, Fate::Temporary),
            Op::Leave => {
                self.left = true;
                self.state.gone = true;
            }
            Op::Break => {
                self.left = true;
                let state = self.state.clone();
                if let Some(breaks) = self.breaks.last_mut() {
                    breaks.push(state);
                }
                self.state.gone = true;
            }
        }
    }

    fn end_temps(&mut self) {
        let depth = self.temps;
        self.state.held.retain(|held| held.holder != Holder::Temps(depth));
    }

    fn step(&mut self, what: What, expr: ExprId, at: Pos, fate: Fate) {
        self.steps.push(Step {
            what,
            at,
            expr,
            fate,
            held: self.state.held.clone(),
            loops: self.loops,
            straight: self.branches.is_empty() && self.loops == 0 && !self.left,
            closure: self.closure,
            deferred: self.deferred,
            branches: self.branches.clone(),
            conditions: self.conditions.clone(),
        });
    }

    /// The name of the function or method that an expression calls.
    fn called(&self, expr: ExprId) -> &'a str {
        let facts = self.types.linked.facts(self.id.0);
        match &self.function.exprs[expr as usize] {
            Expr::Method(_, name, _) => facts.name(*name),
            Expr::Call(callee, _) => match &self.function.exprs[*callee as usize] {
                Expr::Path(path) => path.last().map_or("", |&last| facts.name(last)),
                _ => "",
            },
            _ => "",
        }
    }

    fn call(&mut self, expr: ExprId, at: Pos, fate: Fate) {
        let name = self.called(expr);
        if WAITS.contains(&name) && self.waits(expr, at, fate) {
            return;
        }
        if let Some(taken) = self.types.acquisition(self.id, expr) {
            self.step(What::Acquire(taken.clone()), expr, at, fate);
            self.hold(taken, expr, at, fate);
            return;
        }
        let what = self.types.target(self.id, expr).map_or(What::Other, What::Own);
        self.step(what.clone(), expr, at, fate);
        if let What::Own(target) = what
            && let Some(taken) = self.model.guard_given(self.id, expr, target)
        {
            self.hold(taken, expr, at, fate);
        }
    }

    fn hold(&mut self, taken: Acquisition, value: ExprId, at: Pos, fate: Fate) {
        let (holder, temporary) = match fate {
            Fate::Temporary | Fate::Unused | Fate::Discarded => (Holder::Temps(self.temps), true),
            Fate::Extended => (Holder::Scope(self.scopes), false),
            Fate::Local(local) => (Holder::Local(local), false),
            Fate::Returned | Fate::Moved => (Holder::Temps(u32::MAX), false),
        };
        let section = self.next_section;
        self.next_section += 1;
        let held = Held { taken, at, value, holder, temporary, section };
        match fate {
            // `lock().unwrap();` is over at once, whatever follows.
            Fate::Returned | Fate::Unused | Fate::Discarded => {}
            Fate::Moved => self.moved.push((None, held)),
            _ => self.state.held.push(held),
        }
    }

    fn moves(&mut self, from: LocalId, fate: Fate) {
        let section = self.next_section;
        let mut at = 0;
        while at < self.state.held.len() {
            if self.state.held[at].holder != Holder::Local(from) {
                at += 1;
                continue;
            }
            match fate {
                Fate::Local(to) => {
                    self.state.held[at].holder = Holder::Local(to);
                    self.state.held[at].section = section;
                    self.next_section += 1;
                    at += 1;
                }
                // Naming it is not moving it.
                Fate::Temporary | Fate::Extended | Fate::Discarded => at += 1,
                Fate::Returned | Fate::Moved | Fate::Unused => {
                    let held = self.state.held.remove(at);
                    self.moved.push((Some(from), held));
                }
            }
        }
    }

    /// A wait on a condvar with a guard as its argument; whether it is one.
    fn waits(&mut self, expr: ExprId, at: Pos, fate: Fate) -> bool {
        let Expr::Method(receiver, _, args) = &self.function.exprs[expr as usize] else { return false };
        let is_condvar = self.types.of(self.id, *receiver).external() == Some("Condvar");
        let Some(&guard) = args.first() else { return false };
        let core = self.core(guard);
        let local = match &self.function.exprs[core as usize] {
            Expr::Local(local) => Some(*local),
            _ => None,
        };
        let given = self
            .moved
            .iter()
            .position(|(from, held)| (local.is_some() && *from == local) || held.value == core);
        let borrowed = self
            .state
            .held
            .iter()
            .find(|held| local.is_some_and(|local| held.holder == Holder::Local(local)));
        let given = match (given, borrowed) {
            (Some(at), _) => Some((true, self.moved.remove(at).1)),
            (None, Some(held)) => Some((false, held.clone())),
            (None, None) => None,
        };
        if !is_condvar && given.is_none() {
            return false;
        }
        let others = self.state.held.clone();
        if let Some((false, own)) = &given {
            self.state.held.retain(|held| held != own);
        }
        self.step(What::Wait(given.as_ref().map(|(_, held)| Box::new(held.clone()))), expr, at, fate);
        self.state.held = others;
        if let Some((true, held)) = given {
            self.hold(held.taken, expr, held.at, fate);
        }
        true
    }

    /// The call in `call.unwrap()`, `call?` and their like.
    fn core(&self, mut expr: ExprId) -> ExprId {
        loop {
            match &self.function.exprs[expr as usize] {
                Expr::Try(inner) | Expr::Await(inner) => expr = *inner,
                Expr::Method(receiver, name, _)
                    if is_passed_on(self.types.linked.facts(self.id.0).name(*name)) =>
                {
                    expr = *receiver;
                }
                Expr::Call(callee, args) if args.len() == 1 && self.is_wrapper(*callee) => expr = args[0],
                Expr::Many(parts) if parts.len() == 1 => expr = parts[0],
                _ => return expr,
            }
        }
    }

    fn is_wrapper(&self, callee: ExprId) -> bool {
        let facts = self.types.linked.facts(self.id.0);
        matches!(&self.function.exprs[callee as usize], Expr::Path(path) if matches!(&path[..], [only] if matches!(facts.name(*only), "Ok" | "Some")))
    }

    /// A pattern binds a guard that was got in the scrutinee.
    fn part(&mut self, local: LocalId, of: ExprId) {
        let of = self.core(of);
        let is_it = |held: &&mut Held| held.value == of && matches!(held.holder, Holder::Temps(_));
        if let Some(held) = self.state.held.iter_mut().find(is_it) {
            held.holder = Holder::Local(local);
            held.temporary = false;
        }
    }

    fn branch(&mut self, condition: Option<ExprId>, ways: &[Vec<Op>]) {
        let conditions = self.conditions.len();
        self.conditions.extend(condition);
        let entry = self.state.clone();
        let number = self.next_branch;
        self.next_branch += 1;
        let mut ends: Vec<State> = Vec::new();
        for (way, ops) in (0..).zip(ways) {
            self.state = entry.clone();
            self.branches.push((number, way));
            self.run(ops);
            self.branches.pop();
            ends.push(std::mem::take(&mut self.state));
        }
        self.conditions.truncate(conditions);
        self.state = join(ends);
        if ways.is_empty() {
            self.state = entry;
        }
    }

    fn repeat(&mut self, inner: &[Op]) {
        let entry = self.state.clone();
        self.loops += 1;
        self.breaks.push(Vec::new());
        let (number, left) = (self.next_branch, self.left);
        self.next_branch += 1;
        self.branches.push((number, 0));
        self.run(inner);
        self.branches.pop();
        self.loops -= 1;
        self.left = left || self.left;
        let mut ends = self.breaks.pop().unwrap_or_default();
        ends.push(std::mem::take(&mut self.state));
        ends.push(entry);
        self.state = join(ends);
    }

    fn awaits(&mut self, expr: ExprId, at: Pos) {
        self.step(What::Await, expr, at, Fate::Temporary);
    }

    fn closure_made(&mut self, number: u32, to: Option<u32>) {
        let facts = self.types.linked.facts(self.id.0);
        let name = to.map_or("", |to| facts.name(to));
        let closure = &self.function.closures[number as usize];
        let at_once = AT_ONCE.contains(&name) && !closure.is_async && !self.inlined.contains(&number);
        self.step(What::Closure(number, at_once), 0, closure.at, Fate::Temporary);
        if !at_once {
            return;
        }
        self.inlined.push(number);
        let outer = (self.closure, self.left, self.state.clone());
        self.closure = Some(number);
        let branch = self.next_branch;
        self.next_branch += 1;
        self.branches.push((branch, 0));
        self.run(&closure.body);
        self.branches.pop();
        let ended = std::mem::take(&mut self.state);
        (self.closure, self.left, self.state) = outer;
        // It may have moved a guard away; what it took itself is over.
        self.state.held.retain(|held| ended.gone || ended.held.contains(held));
    }
}

/// What all ways that get here hold.
fn join(ends: Vec<State>) -> State {
    let mut open = ends.into_iter().filter(|end| !end.gone);
    let Some(mut joined) = open.next() else { return State { gone: true, ..State::default() } };
    for other in open {
        joined.held.retain(|held| {
            other.held.iter().any(|known| known.taken.lock == held.taken.lock && known.holder == held.holder)
        });
    }
    joined
}

fn is_passed_on(name: &str) -> bool {
    matches!(
        name,
        "unwrap"
            | "expect"
            | "unwrap_or_else"
            | "into_inner"
            | "map_err"
            | "ok"
            | "unwrap_or_default"
            | "into"
    )
}

impl Held {
    /// How the lock is held.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.taken.mode
    }

    /// The variable that holds the guard.
    #[must_use]
    pub fn local(&self) -> Option<LocalId> {
        match self.holder {
            Holder::Local(local) => Some(local),
            _ => None,
        }
    }
}
