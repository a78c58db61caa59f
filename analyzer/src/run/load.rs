//! How many threads of a run want to run at once, sampled.
//!
//! Invariant: a thread counts while the kernel has it as runnable, so a machine that is busy with other things
//! makes none of those that sleep.
//!
//! Processors are those that the program may use, which may be fewer than there are.
//!
//! Misses: what comes and goes between two looks.

use std::time::{Duration, Instant};

use crate::run::kernel;
use crate::run::meta::Busiest;

/// So many runnable threads per processor are far too many.
const FAR: usize = 4;
/// Shorter than this is not worth a word.
const MEANINGFUL: Duration = Duration::from_secs(1);

/// What was seen so far.
#[derive(Debug, Default)]
pub struct Load {
    /// How many processors there were when most threads wanted to run.
    processors: usize,
    /// When the last sample was one of too many.
    since: Option<Instant>,
    over: Duration,
    threads: Vec<(u32, u32)>,
}

impl Load {
    /// Looks at these processes.
    pub fn sample(&mut self, processes: impl Iterator<Item = u32> + Clone) {
        let all: usize = processes.clone().map(kernel::thread_count).sum();
        let (mut runnable, mut processors) = (Vec::new(), 1);
        if all > FAR {
            processors = processes.clone().map(kernel::processors).max().unwrap_or(1);
        }
        if all > FAR * processors {
            let of = |pid| kernel::runnable(pid).into_iter().map(move |thread| (pid, thread));
            runnable = processes.flat_map(of).collect();
        }
        self.note(runnable, processors, Instant::now());
    }

    fn note(&mut self, runnable: Vec<(u32, u32)>, processors: usize, now: Instant) {
        let since = self.since.take();
        if runnable.len() <= FAR * processors {
            return;
        }
        self.over += since.map_or(Duration::ZERO, |since| now - since);
        self.since = Some(now);
        if runnable.len() > self.threads.len() {
            (self.threads, self.processors) = (runnable, processors);
        }
    }

    /// The moment at which most threads wanted to run, if it was too many for long.
    #[must_use]
    pub fn busiest(self) -> Option<Busiest> {
        let processors = u32::try_from(self.processors).unwrap_or(u32::MAX);
        let milliseconds = u64::try_from(self.over.as_millis()).unwrap_or(u64::MAX);
        let threads = self.threads;
        (self.over >= MEANINGFUL).then_some(Busiest { processors, milliseconds, threads })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(samples: &[(u64, usize)]) -> Option<Busiest> {
        let mut load = Load::default();
        let begin = Instant::now();
        for &(at, runnable) in samples {
            let threads = (0..u32::try_from(runnable).unwrap()).map(|thread| (7, thread)).collect();
            load.note(threads, 2, begin + Duration::from_millis(at));
        }
        load.busiest()
    }

    #[test]
    fn many_that_run_for_long_are_told_at_their_most() {
        let busiest = load(&[(0, 9), (600, 20), (1200, 12)]).unwrap();
        assert_eq!((busiest.processors, busiest.milliseconds, busiest.threads.len()), (2, 1200, 20));
    }

    #[test]
    fn a_short_time_or_a_few_are_not() {
        assert_eq!(load(&[(0, 20), (300, 20)]), None);
        assert_eq!(load(&[(0, 8), (900, 8), (1800, 8)]), None);
        assert_eq!(load(&[(0, 20), (600, 2), (1200, 20), (1300, 20)]), None);
    }
}
