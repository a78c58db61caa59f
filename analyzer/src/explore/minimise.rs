//! Making a failing schedule small: first few switches, then few steps.
//!
//! A schedule is a row of segments. Any part of one is a schedule as well, since a segment that cannot be
//! followed is left out and threads run in turn where there is none (`Strategy::Plan`). So segments are
//! dropped, as ddmin does it, and neighbours of one thread joined by moving what lies between them, as
//! long as the execution still fails in the same way.
//!
//! Sources: A. Zeller, R. Hildebrandt, "Simplifying and isolating failure-inducing input", TSE 2002;
//! J.-D. Choi, A. Zeller, "Isolating failure-inducing thread schedules", ISSTA 2002; N. Jalbert, K. Sen,
//! "A trace simplification technique for effective debugging of concurrent programs", FSE 2010.

use std::io;

use snag_trace::control::{How, Segment};

/// An execution that failed in the way that is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    /// All that was done, from the first point to the failure.
    pub schedule: Vec<Segment>,
    /// How often a thread was left that could have gone on.
    pub preemptions: u64,
    /// Points.
    pub steps: u64,
}

impl Failing {
    /// How often another thread ran than before.
    #[must_use]
    pub fn switches(&self) -> u64 {
        let changes = self.schedule.windows(2).filter(|pair| pair[0].task != pair[1].task);
        changes.count() as u64
    }

    /// Less is simpler: what a schedule invents counts first, since it need not happen elsewhere.
    fn size(&self) -> (u64, u64, u64, u64) {
        let invented = self.schedule.iter().filter(|segment| segment.how != How::Run);
        (invented.count() as u64, self.preemptions, self.switches(), self.steps)
    }
}

/// Executes a plan: what came of it if it failed in the same way, nothing if it did not; an error ends
/// the search.
pub trait Oracle {
    /// See the trait.
    ///
    /// # Errors
    /// If nothing more can be executed.
    fn execute(&mut self, plan: &[Segment]) -> io::Result<Option<Failing>>;
    /// Whether there is time for another execution.
    fn has_time(&self) -> bool;
}

/// The simplest execution that was found to fail like `failing`, which it may be itself.
///
/// # Errors
/// As the oracle's.
pub fn minimise(failing: Failing, oracle: &mut dyn Oracle) -> io::Result<Failing> {
    let mut best = failing;
    loop {
        let before = best.size();
        drop_parts(&mut best, oracle)?;
        join_neighbours(&mut best, oracle)?;
        shorten(&mut best, oracle)?;
        if best.size() >= before || !oracle.has_time() {
            return Ok(best);
        }
    }
}

/// Executes the plan, and keeps what came of it if that is simpler.
fn attempt(plan: &[Segment], best: &mut Failing, oracle: &mut dyn Oracle) -> io::Result<bool> {
    if !oracle.has_time() {
        return Ok(false);
    }
    let Some(found) = oracle.execute(plan)? else { return Ok(false) };
    let is_simpler = found.size() < best.size();
    if is_simpler {
        *best = found;
    }
    Ok(is_simpler)
}

/// Leaves segments out: halves first, then smaller and smaller parts.
fn drop_parts(best: &mut Failing, oracle: &mut dyn Oracle) -> io::Result<()> {
    let mut size = best.schedule.len();
    while size > 0 && oracle.has_time() {
        let mut at = 0;
        while at < best.schedule.len() && oracle.has_time() {
            let end = (at + size).min(best.schedule.len());
            let plan: Vec<_> = [&best.schedule[..at], &best.schedule[end..]].concat();
            if !attempt(&plan, best, oracle)? {
                at += size;
            }
        }
        size = if size == 1 { 0 } else { size / 2 };
    }
    Ok(())
}

/// Brings two segments of one thread together, with what was between them behind both, or before.
fn join_neighbours(best: &mut Failing, oracle: &mut dyn Oracle) -> io::Result<()> {
    let mut at = 0;
    while at + 2 < best.schedule.len() && oracle.has_time() {
        let first = best.schedule[at];
        let next = best.schedule[at + 1..].iter().position(|segment| segment.task == first.task);
        let joined = next.map(|gap| at + 1 + gap).filter(|&next| best.schedule[next].how == How::Run);
        if let Some(next) = joined {
            let steps = first.steps.saturating_add(best.schedule[next].steps);
            let mut early = best.schedule.clone();
            early.remove(next);
            early[at].steps = steps;
            let mut late = best.schedule.clone();
            late[next].steps = steps;
            late.remove(at);
            if attempt(&early, best, oracle)? || attempt(&late, best, oracle)? {
                continue;
            }
        }
        at += 1;
    }
    Ok(())
}

/// Lets a thread run on as long as it can, which makes preemptions come later or not at all.
fn shorten(best: &mut Failing, oracle: &mut dyn Oracle) -> io::Result<()> {
    let mut at = 0;
    while at < best.schedule.len() && oracle.has_time() {
        let mut plan = best.schedule.clone();
        plan[at].steps = u32::MAX;
        if !attempt(&plan, best, oracle)? {
            at += 1;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Threads that take steps one after the other; it fails if the second step of thread 1 comes between
    /// the first and the second of thread 0.
    struct Machine {
        length: u32,
        threads: u16,
        left: u32,
    }

    impl Machine {
        fn run(&self, plan: &[Segment]) -> Option<Failing> {
            let mut done = vec![0; usize::from(self.threads)];
            let (mut schedule, mut preemptions) = (Vec::<Segment>::new(), 0);
            let mut order = Vec::new();
            let mut step = |task: u16, done: &mut Vec<u32>| {
                match schedule.last_mut() {
                    Some(last) if last.task == task => last.steps += 1,
                    last => {
                        let left = last.is_some_and(|last| done[usize::from(last.task)] < self.length);
                        preemptions += u64::from(left);
                        schedule.push(Segment { task, how: How::Run, steps: 1 });
                    }
                }
                done[usize::from(task)] += 1;
                order.push((task, done[usize::from(task)]));
            };
            for segment in plan.iter().filter(|segment| segment.task < self.threads) {
                for _ in 0..segment.steps.min(self.length) {
                    if done[usize::from(segment.task)] < self.length {
                        step(segment.task, &mut done);
                    }
                }
            }
            // Whoever runs goes on to its end, then the others in turn.
            let last = plan.iter().rev().find(|segment| segment.task < self.threads);
            let last = last.map_or(0, |segment| segment.task);
            for task in (0..self.threads).map(|step| (last + step) % self.threads) {
                while done[usize::from(task)] < self.length {
                    step(task, &mut done);
                }
            }
            let at = |wanted| order.iter().position(|step| *step == wanted);
            let fails = at((0, 1)) < at((1, 2)) && at((1, 2)) < at((0, 2));
            fails.then_some(Failing { steps: order.len() as u64, schedule, preemptions })
        }
    }

    impl Oracle for Machine {
        fn execute(&mut self, plan: &[Segment]) -> io::Result<Option<Failing>> {
            self.left -= 1;
            Ok(self.run(plan))
        }
        fn has_time(&self) -> bool {
            self.left > 0
        }
    }

    proptest! {
        #[test]
        fn what_is_left_needs_no_more_than_one_preemption(
            tasks in proptest::collection::vec((0..4_u16, 1..4_u32), 0..60)
        ) {
            let mut machine = Machine { length: 6, threads: 4, left: 5_000 };
            let plan: Vec<_> =
                tasks.iter().map(|&(task, steps)| Segment { task, how: How::Run, steps }).collect();
            if let Some(failing) = machine.run(&plan) {
                let least = minimise(failing, &mut machine).unwrap();
                prop_assert!(machine.run(&least.schedule).is_some());
                prop_assert_eq!(least.preemptions, 1, "{:?}", least.schedule);
            }
        }
    }

    #[test]
    fn without_time_everything_stays() {
        let mut machine = Machine { length: 3, threads: 2, left: 0 };
        let plan = [(0, 1), (1, 2), (0, 2), (1, 1)];
        let plan = plan.map(|(task, steps)| Segment { task, how: How::Run, steps });
        let failing = machine.run(&plan).expect("it fails");
        assert_eq!(minimise(failing.clone(), &mut machine).unwrap(), failing);
    }
}
