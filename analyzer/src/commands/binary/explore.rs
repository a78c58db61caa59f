//! Exploring the tests of one binary, or its `main`.

use std::path::PathBuf;
use std::time::Duration;

use snag_trace::control::{Ending, Strategy, flags};

use super::confirm::Proven;
use super::record::Wanted;
use super::{EXHAUSTIVE, Runner, STRATEGIES, build_of, word};
use crate::detectors::join_repeats;
use crate::error::Error;
use crate::explore::filter::Filter;
use crate::explore::job::{Limits, Part, TestResult};
use crate::explore::minimise::Failing;
use crate::explore::schedule::{EXTENSION, Schedule, VERSION};
use crate::explore::search::{Explored, Failure, Options, Searcher};
use crate::explore::server::{Executed, Settings};
use crate::finding::{Certainty, Finding, Report};

/// Recorded executions of a test that did not fail: in each, what is only told by its events is looked
/// for (lost updates, lock orders).
const SAMPLES: u64 = 4;

/// What is said of a test, to people.
struct Verdict {
    result: TestResult,
    line: String,
}

impl Runner<'_> {
    fn options(&self, limits: &Limits, filter: &Filter) -> Options {
        let mut bits = 0;
        for (wanted, bit) in [
            (limits.early_timeouts, flags::EARLY_TIMEOUTS),
            (limits.spurious_wakes, flags::SPURIOUS_WAKES),
            (filter.output, flags::OUTPUT),
            (limits.portfolio == [EXHAUSTIVE], flags::WEAK),
        ] {
            bits |= if wanted { bit } else { 0 };
        }
        let strategy =
            |name: &String| STRATEGIES.iter().find(|(known, _)| known == name).map(|(_, kind)| *kind);
        Options {
            iterations: limits.iterations,
            time: limits.seconds.map(Duration::from_secs_f64),
            seed: limits.seed,
            portfolio: limits.portfolio.iter().filter_map(strategy).collect(),
            depth: limits.depth,
            bounds: limits.bounds,
            jobs: limits.jobs,
            shard: limits.shard,
            settings: Settings {
                max_steps: limits.max_steps,
                flags: bits,
                epoch: limits.epoch,
                processor: 0,
            },
            minimise: limits.minimise,
        }
    }

    /// Explores all that the filter takes.
    pub(super) fn explore(&self, limits: &Limits, filter: &Filter) -> Part {
        let options = self.options(limits, filter);
        let mut part = Part { binary: self.program.path.clone(), ..Part::default() };
        let mut searcher = match Searcher::new(&self.program, &options) {
            Ok(searcher) => searcher,
            Err(error) => {
                part.warnings.push(format!("{} cannot be explored: {error}", self.name()));
                return part;
            }
        };
        let tests: Vec<_> = if self.program.is_program {
            vec![(0, None)]
        } else {
            let meant = searcher.first().tests().iter().filter(|test| filter.takes(test));
            meant.map(|test| (test.number, Some(test.name.clone()))).collect()
        };
        if !filter.list {
            self.regress(limits, &tests, &mut searcher, &mut part);
        }
        for (number, name) in tests {
            if filter.list {
                println!("{}: test", name.unwrap_or_default());
                continue;
            }
            let explored = searcher.explore(number);
            let explored = explored
                .map(|explored| self.settle(&mut searcher, number, name.as_deref(), &explored, &mut part));
            let verdict = explored.unwrap_or_else(|error| {
                // Whatever happened to that process, the next test gets another.
                let fresh = Searcher::new(&self.program, &options);
                let reason = match fresh {
                    Ok(fresh) => {
                        searcher = fresh;
                        error.to_string()
                    }
                    Err(again) => format!("{error}; {again}"),
                };
                skipped(name.as_deref(), reason)
            });
            self.tell(&verdict);
            part.tests.push(verdict.result);
        }
        part
    }

    /// Replays schedules that were kept, as far as they go, whatever the binary was then.
    fn regress(
        &self,
        limits: &Limits,
        tests: &[(u32, Option<String>)],
        searcher: &mut Searcher<'_>,
        part: &mut Part,
    ) {
        for file in &limits.regress {
            let Ok(schedule) = Schedule::load(file) else { continue };
            let test = tests.iter().find(|(_, name)| *name == schedule.test);
            let Some((number, name)) = test.filter(|_| schedule.binary == self.name()) else { continue };
            let plan = schedule.segments().unwrap_or_default();
            let verdict = match searcher.follow(*number, &plan) {
                Ok(None) => {
                    let test = name.clone().unwrap_or_else(|| "main".to_owned());
                    let outcome = "passed".to_owned();
                    let result = TestResult { test, outcome, executions: 1, ..TestResult::default() };
                    Verdict { result, line: format!("ok under {}", self.shown(file)) }
                }
                Ok(Some(failure)) => {
                    self.failed(*number, name.as_deref(), &failure, searcher.options(), part)
                }
                Err(error) => skipped(name.as_deref(), error.to_string()),
            };
            self.tell(&verdict);
            part.tests.push(verdict.result);
        }
    }

    fn tell(&self, verdict: &Verdict) {
        if !self.job.quiet {
            eprintln!("test {} ... {}", verdict.result.test, verdict.line);
        }
    }

    /// Saves and reports what came of a test.
    fn settle(
        &self,
        searcher: &mut Searcher<'_>,
        number: u32,
        name: Option<&str>,
        explored: &Explored,
        part: &mut Part,
    ) -> Verdict {
        let options = searcher.options();
        let mut verdict = match (&explored.skipped, &explored.failure) {
            (Some(executed), _) => skipped(name, self.obstacle(executed)),
            (None, Some(failure)) => self.failed(number, name, failure, options, part),
            (None, None) if explored.is_sequential => passed(name, explored, options.settings.max_steps),
            (None, None) => match self.look_closer(searcher, number, name, part) {
                Ok(None) => passed(name, explored, options.settings.max_steps),
                Ok(Some(found)) => observed(name, found),
                Err(error) => skipped(name, error.to_string()),
            },
        };
        verdict.result.executions = explored.executions;
        verdict.result.unfinished = explored.unfinished;
        verdict.result.seconds = explored.time.as_secs_f64();
        verdict
    }

    /// Looks at recordings of a test that never failed, and tries what they and earlier runs suspect.
    fn look_closer(
        &self,
        searcher: &mut Searcher<'_>,
        number: u32,
        name: Option<&str>,
        part: &mut Part,
    ) -> Result<Option<Observed>, Error> {
        let options = searcher.options();
        if let Some(difference) = self.twice(number, options)? {
            part.warnings.push(format!("{}: {difference}", name.unwrap_or("main")));
        }
        let before = part.findings.len();
        if let Some((rule, file)) = self.sample(number, name, options, part)? {
            let line = format!("FOUND {rule} in a schedule under which it passes");
            return Ok(Some(Observed { rule, file, line }));
        }
        let own = part.findings[before..].iter().cloned();
        let all = join_repeats(own.chain(self.job.suspects.iter().cloned()).collect());
        let suspects: Vec<_> =
            all.into_iter().filter(|finding| finding.certainty != Certainty::Confirmed).collect();
        let proven = self.confirm(searcher, (number, name), options, &suspects, part)?;
        Ok(proven.into_iter().next().map(|Proven { rule, file }| {
            let line = format!("CONFIRMED {rule}: a schedule leads there");
            Observed { rule, file, line }
        }))
    }

    /// Saves the schedule, and adds to the part what its recording shows.
    fn failed(
        &self,
        number: u32,
        name: Option<&str>,
        failure: &Failure,
        options: &Options,
        part: &mut Part,
    ) -> Verdict {
        let test = name.unwrap_or("main").to_owned();
        let reason = self.describe(&failure.executed);
        let how = match &failure.replay {
            Ok(()) if failure.small == failure.found => format!(" ({})", switches(failure.small.switches())),
            Ok(()) => format!(
                " ({} → {}, {} preempting)",
                switches(failure.found.switches()),
                failure.small.switches(),
                failure.small.preemptions
            ),
            Err(again) => format!("; the same schedule again: {}", self.describe(again)),
        };
        let line = format!("FAILED in schedule {}: {reason}{how}", failure.executed.number);
        if failure.replay.is_err() {
            part.warnings.push(format!(
                "{test}: the same schedule does not lead to the same end: what the program does depends on \
                 something that is not under control (real time, addresses, other processes)"
            ));
        }
        let saved = self.keep(number, name, failure, options);
        let mut schedule = None;
        match saved {
            Ok((file, report)) => {
                part.findings.extend(report.findings);
                part.stats.add(&report.stats);
                part.warnings.extend(report.warnings);
                schedule = Some(file);
            }
            Err(error) => part.warnings.push(format!("{test}: {error}")),
        }
        let outcome = "failed".to_owned();
        Verdict { result: TestResult { test, outcome, reason, schedule, ..TestResult::default() }, line }
    }

    /// Why a test cannot be explored.
    fn obstacle(&self, executed: &Executed) -> String {
        match executed.ending {
            Ending::Forked => {
                let place =
                    self.message(executed).0.map(|place| format!(" at {}:{}", place.file, place.line));
                let place = place.unwrap_or_default();
                format!("not explorable: forks{place}, and only one process can be explored")
            }
            Ending::TooManyThreads => "it starts more than 4096 threads".to_owned(),
            Ending::TooLong => "it switches threads more often than a schedule has room for".to_owned(),
            _ => format!("it stands still outside of what is under control: {}", executed.message.trim()),
        }
    }

    pub(super) fn schedule_of(&self, name: Option<&str>, failure: &Failure, options: &Options) -> Schedule {
        let executed = &failure.executed;
        let kind = STRATEGIES.iter().find(|(_, kind)| *kind == failure.strategy);
        let mut schedule = Schedule {
            snag_schedule: VERSION,
            snag: env!("CARGO_PKG_VERSION").to_owned(),
            cargo: self.job.cargo.clone(),
            plain: self.job.plain.clone(),
            binary: self.name(),
            test: name.map(str::to_owned),
            arguments: self
                .program
                .arguments
                .iter()
                .map(|word| word.to_string_lossy().into_owned())
                .collect(),
            memory: self.job.memory,
            failure: self.describe(executed),
            ending: word(executed.ending).to_owned(),
            fingerprint: executed.fingerprint,
            seed: options.seed,
            execution: executed.number,
            strategy: kind.map_or("directed", |(name, _)| name).to_owned(),
            epoch: options.settings.epoch,
            max_steps: options.settings.max_steps,
            weak: options.settings.flags & flags::WEAK != 0,
            build: build_of(&self.program.path).unwrap_or_default(),
            toolchain: self.job.toolchain.clone(),
            threads: executed.tasks,
            preemptions: failure.small.preemptions,
            schedule: String::new(),
        };
        schedule.set_segments(&failure.small.schedule);
        schedule
    }

    pub(super) fn save(&self, schedule: &Schedule) -> Result<PathBuf, Error> {
        let test = schedule.test.as_deref().unwrap_or("main").replace("::", "-");
        let name = format!("{}-{test}-{:016x}.{EXTENSION}", schedule.binary, schedule.fingerprint);
        let file = self.job.snag_folder.join("failures").join(name);
        schedule.save(&file)?;
        Ok(file)
    }

    /// Saves the schedule, and judges a recording of it.
    pub(super) fn keep(
        &self,
        number: u32,
        name: Option<&str>,
        failure: &Failure,
        options: &Options,
    ) -> Result<(PathBuf, Report), Error> {
        let file = self.save(&self.schedule_of(name, failure, options))?;
        let wanted = Wanted {
            test: number,
            name,
            strategy: Strategy::Replay,
            seed: options.seed,
            number: failure.executed.number.max(1),
            plan: &failure.small.schedule,
            parameters: &[],
        };
        let (report, _) = self.judged(&wanted, options.settings, Some(&file))?;
        Ok((file, report))
    }

    /// Records some executions of a test that never failed, and adds what they show to the part. Gives
    /// the rule of the first finding that was observed, and the schedule's file.
    fn sample(
        &self,
        number: u32,
        name: Option<&str>,
        options: &Options,
        part: &mut Part,
    ) -> Result<Option<(String, PathBuf)>, Error> {
        for sample in 0..SAMPLES.min(options.iterations) {
            let strategy = match sample.checked_sub(1) {
                None => Strategy::Sequential,
                Some(later) => options.portfolio[later as usize % options.portfolio.len()],
            };
            let seed = options.seed;
            let wanted =
                Wanted { test: number, name, strategy, seed, number: sample, plan: &[], parameters: &[] };
            let (mut report, recorded) = self.judged(&wanted, options.settings, None)?;
            let observed = |finding: &&Finding| finding.certainty == Certainty::Confirmed;
            let rule = report.findings.iter().find(observed).map(|finding| finding.rule.clone());
            let mut found = None;
            if let Some(rule) = rule {
                let small = Failing {
                    schedule: recorded.log,
                    preemptions: recorded.executed.preemptions,
                    steps: recorded.executed.steps,
                };
                let executed = recorded.executed;
                let found_in = small.clone();
                let failure = Failure { executed, strategy, found: found_in, small, replay: Ok(()) };
                let mut schedule = self.schedule_of(name, &failure, options);
                schedule.failure.clone_from(&rule);
                let file = self.save(&schedule)?;
                for finding in &mut report.findings {
                    finding.schedule = Some(self.shown(&file));
                }
                found = Some((rule, file));
            }
            part.findings.append(&mut report.findings);
            part.stats.add(&report.stats);
            part.warnings.append(&mut report.warnings);
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}

fn switches(count: u64) -> String {
    format!("{count} switch{}", if count == 1 { "" } else { "es" })
}

fn passed(name: Option<&str>, explored: &Explored, max_steps: u64) -> Verdict {
    let schedules = match explored.executions {
        1 => "1 schedule".to_owned(),
        count => format!("{count} schedules"),
    };
    let (outcome, mut line) = if explored.unfinished == explored.executions {
        ("unfinished", "no execution came to an end".to_owned())
    } else if explored.is_sequential {
        ("sequential", "ok (starts no thread: 1 schedule is all)".to_owned())
    } else if explored.is_exhausted && explored.unfinished == 0 && !explored.is_bounded {
        ("exhausted", format!("ok (all {schedules})"))
    } else if explored.is_exhausted {
        ("passed", format!("ok (all {schedules} within the bounds)"))
    } else {
        ("passed", format!("ok ({schedules})"))
    };
    match explored.left {
        0 => {}
        1 => line.push_str(", a thread still runs at its end"),
        left => line.push_str(&format!(", up to {left} threads still run at its end")),
    }
    if explored.unfinished > 0 {
        let unfinished = explored.unfinished;
        line.push_str(&format!(", {unfinished} of them without an end in {max_steps} steps (--max-steps)"));
    }
    let (test, outcome) = (name.unwrap_or("main").to_owned(), outcome.to_owned());
    Verdict { result: TestResult { test, outcome, ..TestResult::default() }, line }
}

/// What is wrong with a test that passed under all schedules that were tried.
struct Observed {
    rule: String,
    file: PathBuf,
    line: String,
}

fn observed(name: Option<&str>, found: Observed) -> Verdict {
    let Observed { rule, file, line } = found;
    let (test, outcome) = (name.unwrap_or("main").to_owned(), "failed".to_owned());
    let schedule = Some(file);
    Verdict { result: TestResult { test, outcome, reason: rule, schedule, ..TestResult::default() }, line }
}

fn skipped(name: Option<&str>, reason: String) -> Verdict {
    let line = format!("skipped: {reason}");
    let test = name.unwrap_or("main").to_owned();
    Verdict {
        result: TestResult { test, outcome: "skipped".to_owned(), reason, ..TestResult::default() },
        line,
    }
}
