//! Strategies on a small machine of their own: threads that make a fixed number of operations.

use std::collections::BTreeSet;

use super::*;

/// Runs threads of so many operations on one object each, from execution `first` on; gives the orders.
fn orders(kind: Strategy, lengths: &[usize], executions: u64, seed: u64) -> Vec<Vec<usize>> {
    // SAFETY: zeros are a fresh state.
    let mut strategies: Box<Strategies> = unsafe { Box::new_zeroed().assume_init() };
    let mut orders = Vec::new();
    for number in 0..executions {
        let kind = if number == 0 && kind != Strategy::Dfs { Strategy::Random } else { kind };
        strategies.begin(kind, seed, number, [0; PARAMETERS]);
        let order = order(&mut strategies, lengths, &|_| None);
        let more = strategies
            .end(lengths.len(), order.len() as u64, |task| (lengths[task] as u32, lengths[task] as u32, 0));
        orders.push(order);
        if !more {
            break;
        }
    }
    orders
}

fn order(strategies: &mut Strategies, lengths: &[usize], planned: Planned<'_>) -> Vec<usize> {
    let mut left = lengths.to_vec();
    let (mut current, mut order) = (None, Vec::new());
    for child in 1..lengths.len() {
        strategies.spawned(0, child);
    }
    while left.iter().any(|&left| left > 0) {
        let operation = Operation { writes: true, object: 8, place: 9, ..Operation::UNKNOWN };
        let runnable = (0..left.len()).filter(|&task| left[task] > 0);
        let candidates: Vec<_> = runnable.map(|task| Candidate { task, how: How::Run, operation }).collect();
        let at = candidates.iter().position(|candidate| Some(candidate.task) == current);
        let number = order.len() as u64;
        let choice = Choice { candidates: &candidates, current: at, yields: false, number };
        let Answer::Run(position) = strategies.choose(&choice, planned) else { panic!("diverged") };
        let task = candidates[position].task;
        left[task] -= 1;
        current = Some(task);
        order.push(task);
    }
    order
}

#[test]
fn depth_first_search_takes_every_order_once() {
    // 4! / (2! 2!) orders of two threads of two operations; 6! / (3! 2! 1!) of three.
    for (lengths, count) in [(&[2, 2][..], 6), (&[3, 2, 1][..], 60)] {
        let orders = orders(Strategy::Dfs, lengths, 1000, 1);
        assert_eq!(orders.len(), count);
        assert_eq!(orders.iter().collect::<BTreeSet<_>>().len(), count);
    }
}

#[test]
fn every_strategy_of_chance_reaches_every_order_and_repeats_itself() {
    for kind in [Strategy::Random, Strategy::Pct, Strategy::Pos, Strategy::Urw, Strategy::Surw] {
        let first = orders(kind, &[2, 2], 400, 7);
        let seen = first.iter().collect::<BTreeSet<_>>().len();
        // Two change points are too few for the two orders that alternate.
        let due = if kind == Strategy::Pct { 4 } else { 6 };
        assert!(seen >= due, "{kind:?} reaches {seen}");
        assert_eq!(first, orders(kind, &[2, 2], 400, 7), "{kind:?}");
        assert_ne!(first, orders(kind, &[2, 2], 400, 8), "{kind:?}");
    }
}

#[test]
fn a_uniform_random_walk_is_uniform() {
    let orders = orders(Strategy::Urw, &[5, 1], 6001, 3);
    // The short thread's operation is as likely at each of the six positions.
    for position in 0..6 {
        let there = orders[1..].iter().filter(|order| order[position] == 1).count();
        assert!((800..1200).contains(&there), "{there} of 6000 at {position}");
    }
}

#[test]
fn a_plan_is_followed_and_what_it_does_not_say_goes_in_turn() {
    // SAFETY: zeros are a fresh state.
    let mut strategies: Box<Strategies> = unsafe { Box::new_zeroed().assume_init() };
    let segments = [(1, 1), (0, 2), (7, 3), (1, 1)];
    let planned = |at: usize| segments.get(at).map(|&(task, steps)| Segment { task, how: How::Run, steps });
    strategies.begin(Strategy::Plan, 1, 0, [0; PARAMETERS]);
    assert_eq!(order(&mut strategies, &[3, 3], &planned), [1, 0, 0, 1, 1, 0]);
}

#[test]
fn a_replay_that_cannot_be_followed_diverges() {
    // SAFETY: zeros are a fresh state.
    let mut strategies: Box<Strategies> = unsafe { Box::new_zeroed().assume_init() };
    strategies.begin(Strategy::Replay, 1, 0, [0; PARAMETERS]);
    let candidates = [Candidate { task: 0, how: How::Run, operation: Operation::UNKNOWN }];
    let choice = Choice { candidates: &candidates, current: None, yields: false, number: 0 };
    let planned = |at| (at == 0).then_some(Segment { task: 3, how: How::Run, steps: 1 });
    assert_eq!(strategies.choose(&choice, &planned), Answer::Diverged);
}

/// What threads do: objects, and whether they write.
type Program = Vec<Vec<(usize, bool)>>;

/// For each object, the order of its accesses as far as it matters: each with the last write before it.
type Trace = BTreeSet<(usize, usize, Option<(usize, usize)>)>;

/// Makes one execution; nothing if the rest of it was tried before.
fn trace(strategies: &mut Strategies, program: &Program) -> Option<Trace> {
    let mut at = vec![0; program.len()];
    let (mut current, mut trace, mut number) = (None, Trace::new(), 0);
    let mut writes = std::collections::BTreeMap::new();
    loop {
        let left = (0..program.len()).filter(|&task| at[task] < program[task].len());
        let candidates: Vec<_> = left
            .map(|task| {
                let (object, writes) = program[task][at[task]];
                let operation = Operation { writes, object, place: 9, ..Operation::UNKNOWN };
                Candidate { task, how: How::Run, operation }
            })
            .collect();
        if candidates.is_empty() {
            return Some(trace);
        }
        let position = candidates.iter().position(|candidate| Some(candidate.task) == current);
        let choice = Choice { candidates: &candidates, current: position, yields: false, number };
        let chosen = match strategies.choose(&choice, &|_| None) {
            Answer::Run(chosen) => candidates[chosen],
            Answer::Redundant => return None,
            other => panic!("{other:?}"),
        };
        let Candidate { task, operation, .. } = chosen;
        trace.insert((task, at[task], writes.get(&operation.object).copied()));
        if operation.writes {
            writes.insert(operation.object, (task, at[task]));
        }
        at[task] += 1;
        (current, number) = (Some(task), number + 1);
    }
}

/// All traces, and how many executions were made for them.
fn traces(kind: Strategy, program: &Program, preemptions: u64) -> (BTreeSet<Trace>, usize) {
    // SAFETY: zeros are a fresh state.
    let mut strategies: Box<Strategies> = unsafe { Box::new_zeroed().assume_init() };
    let (mut traces, mut executions) = (BTreeSet::new(), 0);
    let mut parameters = [0; PARAMETERS];
    parameters[0] = preemptions;
    strategies.reset();
    for number in 1.. {
        strategies.begin(kind, 1, number, parameters);
        let trace = trace(&mut strategies, program);
        executions += usize::from(trace.is_some());
        traces.extend(trace);
        if !strategies.end(program.len(), 0, |_| (0, 0, 0)) {
            return (traces, executions);
        }
    }
    unreachable!("the numbers do not come to an end")
}

/// Programs of two or three threads, of one to three operations each, on two objects.
fn programs() -> impl Iterator<Item = Program> {
    (0..1000_u64).map(|number| {
        let mut random = Random::new(number, 77);
        let threads = 2 + random.below(2);
        (0..threads)
            .map(|_| {
                let operations = 1 + random.below(3);
                (0..operations).map(|_| (8 + 8 * random.below(2) as usize, random.below(2) == 0)).collect()
            })
            .collect()
    })
}

#[test]
fn exhaustive_search_leaves_out_no_order_that_matters() {
    let (mut all, mut reduced) = (0, 0);
    for program in programs() {
        let (expected, made) = traces(Strategy::Dfs, &program, 0);
        let (found, executions) = traces(Strategy::Exhaustive, &program, 0);
        assert_eq!(found, expected, "{program:?}");
        assert_eq!(executions, expected.len(), "none is made twice: {program:?}");
        (all, reduced) = (all + made, reduced + executions);
    }
    assert!(reduced * 4 < all, "{reduced} of {all}");
}

#[test]
fn threads_that_have_nothing_in_common_are_executed_once() {
    let program = (0..5).map(|task| vec![(8 + 8 * task, true); 4]).collect();
    assert_eq!(traces(Strategy::Exhaustive, &program, 0).1, 1);
    let readers = vec![vec![(8, false); 4]; 4];
    assert_eq!(traces(Strategy::Exhaustive, &readers, 0).1, 1);
}

#[test]
fn a_bound_on_preemptions_leaves_out_those_that_need_more() {
    // The second write of the first thread is seen between the two of the other, and the other way round.
    let program = vec![vec![(8, true); 2]; 2];
    let count = |bound| traces(Strategy::Exhaustive, &program, bound).0.len();
    assert_eq!(traces(Strategy::Exhaustive, &program, 0).0.len(), 6);
    assert!(count(1) >= 2 && count(1) < 6, "{}", count(1));
    assert_eq!(count(3), 6);
}
