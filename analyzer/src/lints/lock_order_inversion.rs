//! `lock_order_inversion`, from source: two functions that take the same two locks in opposite orders.
//!
//! A graph of locks: an edge says that one is taken while the other is held, in a function or through what it
//! calls. A lock is a static or a field of a type; two objects of one type count as one lock here, so a pair
//! is reported only if both orders are between different locks. Always `potential`: whether the two functions
//! ever run at once is what a run shows. Pairs that a third lock keeps apart are left out, as are locks that
//! are only tried.
//!
//! Source: the lock-order graph of lockdep; gate locks after Havelund, SPIN 2000.

use std::collections::BTreeMap;

use crate::finding::Certainty;
use crate::lints::{Draft, Lint, all_steps, name_of, site, site_of};
use crate::source_model::link::Site;
use crate::source_model::model::{Deed, Model};
use crate::source_model::places::{Class, Mode};

pub(super) struct LockOrderInversion;

/// One way in which a lock is taken while another is held.
#[derive(Clone)]
struct Edge {
    first: Site,
    second: Site,
    via: Vec<Site>,
    function: String,
    names: (String, String),
    /// Locks that are held besides.
    gates: Vec<Class>,
    shared: bool,
}

type Edges = BTreeMap<(Class, Class), Vec<Edge>>;

/// Longer circles are not looked for.
const LONGEST: usize = 5;

impl Lint for LockOrderInversion {
    fn id(&self) -> &'static str {
        "lock_order_inversion"
    }

    fn check(&self, model: &Model<'_>) -> Vec<Draft> {
        let edges = edges(model);
        let mut found = Vec::new();
        for start in edges.keys().map(|(from, _)| from).collect::<std::collections::BTreeSet<_>>() {
            let mut way = vec![start.clone()];
            search(&edges, start, &mut way, &mut found);
        }
        found
    }
}

fn edges(model: &Model<'_>) -> Edges {
    let mut edges = Edges::new();
    for (id, steps) in all_steps(model, false) {
        if model.linked().function(id).exclusive_self {
            continue;
        }
        for step in steps.iter().filter(|step| !step.held.is_empty()) {
            for effect in model.effects_of(id, step) {
                let Deed::Take(taken) = &effect.what else { continue };
                let Some(to) = &taken.lock.class else { continue };
                if taken.tries {
                    continue;
                }
                for held in &step.held {
                    let Some(from) = held.taken.lock.class.as_ref().filter(|from| *from != to) else {
                        continue;
                    };
                    let gates =
                        step.held.iter().filter(|other| *other != held && other.mode() == Mode::Exclusive);
                    let edge = Edge {
                        first: site_of(id, held),
                        second: effect.at,
                        via: effect.via.clone(),
                        function: name_of(model, id).to_owned(),
                        names: (held.taken.lock.name.clone(), taken.lock.name.clone()),
                        gates: gates.filter_map(|gate| gate.taken.lock.class.clone()).collect(),
                        shared: held.mode() == Mode::Shared && taken.mode == Mode::Shared,
                    };
                    let known = edges.entry((from.clone(), to.clone())).or_default();
                    if known.len() < 4 {
                        known.push(edge);
                    }
                }
                let _ = site(id, step);
            }
        }
    }
    edges
}

/// Circles that begin and end at `start`, which is the least of their locks.
fn search(edges: &Edges, start: &Class, way: &mut Vec<Class>, found: &mut Vec<Draft>) {
    let last = way.last().expect("it begins with one").clone();
    let next: Vec<Class> =
        edges.keys().filter(|(from, to)| *from == last && to >= start).map(|(_, to)| to.clone()).collect();
    for to in next {
        if to == *start {
            found.extend(report(edges, way));
        } else if !way.contains(&to) && way.len() < LONGEST {
            way.push(to);
            search(edges, start, way, found);
            way.pop();
        }
    }
}

fn report(edges: &Edges, way: &[Class]) -> Option<Draft> {
    let pairs = (0..way.len()).map(|at| (way[at].clone(), way[(at + 1) % way.len()].clone()));
    let pairs: Vec<_> = pairs.collect();
    let mut chosen: Vec<&Edge> = Vec::new();
    for pair in &pairs {
        // Another function than those before, and no lock that is held in all of them.
        let fits = |edge: &&Edge| {
            chosen.iter().all(|other| {
                other.first != edge.first && !other.gates.iter().any(|gate| edge.gates.contains(gate))
            })
        };
        chosen.push(edges[pair].iter().find(fits)?);
    }
    if chosen.iter().all(|edge| edge.shared) {
        return None;
    }
    let names: Vec<String> = chosen.iter().map(|edge| format!("`{}`", edge.names.0)).collect();
    let orders = if names.len() == 2 { "in opposite orders" } else { "in orders that close a circle" };
    let mut functions: Vec<String> = chosen.iter().map(|edge| format!("`{}`", edge.function)).collect();
    functions.dedup();
    let message = format!("{} lock {} {orders}", functions.join(" and "), names.join(" and "));
    let help = "take these locks in the same order everywhere, or release one before taking the next";
    let mut draft = Draft::new(Certainty::Potential, message, help);
    for edge in &chosen {
        draft = draft.object("lock", &edge.names.0);
    }
    for edge in chosen {
        let (first, second) = &edge.names;
        draft = draft
            .at(edge.first, "acquired_first", format!("`{}` locks `{first}` here", edge.function))
            .through(&edge.via)
            .at(edge.second, "wanted", format!("and `{second}` here, while holding `{first}`"));
    }
    Some(draft.note("two threads must run these functions at the same time, on the same objects".to_owned()))
}
