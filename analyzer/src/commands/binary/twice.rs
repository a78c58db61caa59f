//! One schedule, executed twice: whether what the program does depends on the schedule alone.
//!
//! Known misses: what is the same in both executions by chance, and whatever differs between machines.

use snag_trace::control::{Step, flags};

use super::Runner;
use crate::error::Error;
use crate::explore::search::Options;
use crate::explore::server::{Order, Recorded, Settings, record};

/// Position of the first step that goes another way, and of the first that has another value, if there
/// is one before.
type Difference = (usize, Option<usize>);

impl Runner<'_> {
    /// What is different when the first schedule of a test is executed again.
    ///
    /// # Errors
    /// If it cannot be executed.
    pub(super) fn twice(&self, test: u32, options: &Options) -> Result<Option<String>, Error> {
        let strategy = options.portfolio[0];
        let order =
            Order { test, strategy, seed: options.seed, first: 1, count: 1, parameters: &[], plan: &[] };
        let bits = options.settings.flags & !flags::OUTPUT | flags::TELL;
        let settings = Settings { flags: bits, processor: 1, ..options.settings };
        let execute = || {
            record(&self.program, settings, &order, None).map_err(Error::io("execute", &self.program.path))
        };
        let (one, other) = (execute()?, execute()?);
        Ok(difference(&one.steps, &other.steps).map(|at| self.tell_difference(at, &one, &other)))
    }

    fn tell_difference(&self, (turn, value): Difference, one: &Recorded, other: &Recorded) -> String {
        let place = |at: usize, recorded: &Recorded| {
            let Some(step) = recorded.steps.get(at) else { return "its end".to_owned() };
            self.place_of_step(step, recorded).map_or_else(
                || "a step of the standard library".to_owned(),
                |place| format!("{}:{}:{}", place.file, place.line, place.column),
            )
        };
        let (first, second) = (place(turn, one), place(turn, other));
        let ways = if first == second { first } else { format!("{first} in one, {second} in the other") };
        let cause = value.map(|at| format!(", after another value at {}", place(at, one)));
        format!(
            "one schedule, executed twice, goes two ways at step {} ({ways}){}: what the program does depends \
             on something that is not under control (real time, files, other processes)",
            turn + 1,
            cause.unwrap_or_default(),
        )
    }
}

fn difference(one: &[Step], other: &[Step]) -> Option<Difference> {
    let way = |step: &Step| (step.task, step.what, step.place);
    let both = one.iter().zip(other);
    let turn = both.clone().position(|(one, other)| way(one) != way(other));
    let turn = turn.or_else(|| (one.len() != other.len()).then(|| one.len().min(other.len())))?;
    let values = |step: &Step| (step.known, step.read, step.written);
    let value = both.take(turn).position(|(one, other)| values(one) != values(other));
    Some((turn, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(task: u16, place: u64, read: u64) -> Step {
        Step { task, place, read, known: 1, ..Step::default() }
    }

    #[test]
    fn equal_ways_with_other_values_are_no_difference() {
        assert_eq!(difference(&[step(0, 2, 7)], &[step(0, 2, 8)]), None);
    }

    #[test]
    fn the_first_step_that_goes_another_way_is_named_and_the_value_before_it() {
        let one = [step(0, 2, 7), step(0, 4, 7), step(1, 6, 0)];
        let other = [step(0, 2, 7), step(0, 4, 8), step(0, 6, 0)];
        assert_eq!(difference(&one, &other), Some((2, Some(1))));
        assert_eq!(difference(&one[..1], &one), Some((1, None)));
    }
}
