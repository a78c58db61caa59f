//! `cargo snag explore`: tests, or a whole program, under many schedules.
//!
//! What is done with each binary is in [`super::binary`].

use std::path::{self, Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fs, thread};

use crate::commands::analysis::ReportOptions;
use crate::commands::binary::{EXHAUSTIVE, PORTFOLIO, STRATEGIES};
use crate::commands::session::{Build, Session};
use crate::commands::{Command, Given};
use crate::error::Error;
use crate::explore::job::{Limits, Part, Results, Task};
use crate::explore::schedule::{EXTENSION, Schedule};

/// The command.
#[derive(Debug)]
pub struct Explore;

#[derive(Debug, clap::Args)]
struct Options {
    /// Most schedules of each test (1000; with `--exhaustive` as many as there are)
    #[arg(long, value_name = "N", help_heading = "Exploration")]
    iterations: Option<u64>,
    /// Longest time for each test: `30s`, `5m`, `1.5h`
    #[arg(long, value_name = "TIME", value_parser = parse_time, help_heading = "Exploration")]
    time: Option<f64>,
    /// What decides all that is left to chance: the same seed, the same schedules
    #[arg(long, value_name = "S", default_value_t = 1, help_heading = "Exploration")]
    seed: u64,
    /// How threads are chosen: one strategy, or several that take turns, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = strategies(), help_heading = "Exploration")]
    strategy: Vec<String>,
    /// Make all executions that can differ, under C++20's memory model: for small tests
    #[arg(long, conflicts_with_all = ["strategy", "shard"], help_heading = "Exhaustive exploration")]
    exhaustive: bool,
    /// Only schedules in which threads that could go on are stopped so often at most
    #[arg(long, value_name = "N", requires = "exhaustive", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Exhaustive exploration")]
    preemption_bound: Option<u64>,
    /// Most branches of an execution: points, and atomics that may read more than one store
    #[arg(long, value_name = "N", requires = "exhaustive", value_parser = clap::value_parser!(u64).range(100..), help_heading = "Exhaustive exploration")]
    max_branches: Option<u64>,
    /// Most threads, the harness's included
    #[arg(long, value_name = "N", requires = "exhaustive", value_parser = clap::value_parser!(u64).range(2..=32), help_heading = "Exhaustive exploration")]
    max_threads: Option<u64>,
    /// Depth of the bugs that `pct` looks for
    #[arg(long, value_name = "D", default_value_t = 3, help_heading = "Exploration")]
    depth: u64,
    /// Processes that explore at the same time; all cores if not given. (Cargo's `--jobs` is `--build-jobs`)
    #[arg(long, value_name = "N", help_heading = "Exploration")]
    jobs: Option<u32>,
    /// How many crates cargo compiles at the same time
    #[arg(long, value_name = "N", help_heading = "Exploration")]
    build_jobs: Option<u32>,
    /// Only every N-th part of the schedules, beginning with the I-th: `1/4` to `4/4` make up the whole
    #[arg(long, value_name = "I/N", value_parser = parse_shard, help_heading = "Exploration")]
    shard: Option<(u64, u64)>,
    /// Most steps of a schedule
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1000..), help_heading = "Exploration")]
    max_steps: u64,
    /// No wait ends before its time
    #[arg(long, help_heading = "Exploration")]
    no_early_timeouts: bool,
    /// No wait for a condvar ends without a reason
    #[arg(long, help_heading = "Exploration")]
    no_spurious_wakes: bool,
    /// Write what came of it to a file as well, for `cargo snag merge`
    #[arg(long, value_name = "FILE", help_heading = "Exploration")]
    result: Option<PathBuf>,
    /// First replay all schedules in this folder, as far as they go
    #[arg(long, value_name = "DIR", help_heading = "Exploration")]
    regress: Option<PathBuf>,
    /// Keep failing schedules as they were found
    #[arg(long, help_heading = "Exploration")]
    no_minimise: bool,
    #[command(flatten)]
    report: ReportOptions,
    /// Build this crate with the real std: what happens in it is then not under control
    #[arg(long, value_name = "CRATE", help_heading = "Recording")]
    plain: Vec<String>,
    /// Do not instrument accesses to memory: faster, but data races and atomics are left out
    #[arg(long, help_heading = "Recording")]
    no_memory: bool,
    /// How many runs to keep in `target/snag/runs`
    #[arg(long, value_name = "N", default_value_t = 20, help_heading = "Recording")]
    keep: usize,
}

fn strategies() -> clap::builder::PossibleValuesParser {
    clap::builder::PossibleValuesParser::new(
        STRATEGIES.iter().map(|(name, _)| *name).filter(|name| *name != EXHAUSTIVE),
    )
}

/// `30s`, `5m`, `1.5h` or a number of seconds.
fn parse_time(text: &str) -> Result<f64, String> {
    let (number, unit) = match text.find(|letter: char| letter.is_ascii_alphabetic()) {
        Some(at) => text.split_at(at),
        None => (text, "s"),
    };
    let factor = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err("a time is a number with `s`, `m` or `h`".to_owned()),
    };
    let number: f64 = number.parse().map_err(|_| "a time is a number with `s`, `m` or `h`".to_owned())?;
    let seconds = number * factor;
    if (0.0..1e9).contains(&seconds) { Ok(seconds) } else { Err("that is no time to wait".to_owned()) }
}

/// `2/4`, as position from 0 and count.
fn parse_shard(text: &str) -> Result<(u64, u64), String> {
    let number = |text: &str| text.parse::<u64>().ok();
    let parsed = text.split_once('/').and_then(|(part, of)| Some((number(part)?, number(of)?)));
    match parsed {
        Some((part, of)) if 1 <= part && part <= of => Ok((part - 1, of)),
        _ => Err("a shard is `I/N`, from `1/N` to `N/N`".to_owned()),
    }
}

impl Command for Explore {
    fn spec(&self) -> clap::Command {
        <Options as clap::Args>::augment_args(clap::Command::new("explore"))
            .about("Run each test under many schedules, and keep those under which it fails")
            .after_help(
                "All other flags, and the filter, are those of `cargo test`; with `--bin` or `--example` a \
                 whole program is explored, and they are those of `cargo run`.",
            )
            .override_usage("cargo snag explore [OPTIONS] [FILTER] [CARGO'S OPTIONS] [-- <ARGS>...]")
    }

    fn passes_arguments_on(&self) -> bool {
        true
    }

    fn execute(&self, given: Given<'_>) -> Result<u8, Error> {
        let options: Options = given.own();
        options.report.check()?;
        let mut limits = limits(&options);
        if let Some(folder) = &options.regress {
            limits.regress = schedules_in(folder)?;
        }
        let mut arguments = given.cargo;
        if let Some(jobs) = options.build_jobs {
            arguments.insert(0, format!("--jobs={jobs}").into());
        }
        let build = Build { arguments, plain: options.plain, memory: !options.no_memory };
        let session = Session::prepare(build, None, given.line)?;
        let parts = search(&session, limits, &options.report, options.keep)?;
        if let Some(file) = &options.result {
            Results::save(&parts, file)?;
        }
        session.conclude(&parts, &options.report)
    }
}

/// Explores what cargo builds for this verb, and reports; gives the exit code.
///
/// # Errors
/// If it cannot be built, or the report not be written.
pub(super) fn explore(
    build: Build,
    verb: Option<&'static str>,
    line: Vec<String>,
    limits: Limits,
    report: &ReportOptions,
    keep: usize,
) -> Result<u8, Error> {
    let session = Session::prepare(build, verb, line)?;
    let parts = search(&session, limits, report, keep)?;
    session.conclude(&parts, report)
}

fn search(
    session: &Session,
    limits: Limits,
    report: &ReportOptions,
    keep: usize,
) -> Result<Vec<Part>, Error> {
    let mut job = session.job(report.levels.clone(), keep);
    job.suspects = session.suspects(&report.levels);
    job.task = Task::Explore(limits);
    let parts = session.run(&job)?;
    session.progress.say("Explored", &summary(&parts));
    Ok(parts)
}

/// The schedules in a folder, sorted; each can be read.
fn schedules_in(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = fs::read_dir(folder).map_err(Error::io("read", folder))?;
    let mut files = Vec::new();
    for entry in entries.flatten() {
        let file = path::absolute(entry.path()).map_err(Error::io("find", folder))?;
        if file.extension().is_some_and(|extension| extension == EXTENSION) {
            Schedule::load(&file)?;
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// The limits if none are given.
pub(super) fn defaults() -> Limits {
    let spec = <Options as clap::Args>::augment_args(clap::Command::new("explore"));
    let matches = spec.get_matches_from(["explore"]);
    let options = <Options as clap::FromArgMatches>::from_arg_matches(&matches);
    limits(&options.unwrap_or_else(|error| error.exit()))
}

/// Schedules of each test, if nothing else is said.
const SCHEDULES: u64 = 1000;

fn limits(options: &Options) -> Limits {
    let cores = || thread::available_parallelism().map_or(1, |count| count.get() as u32);
    let portfolio = if options.exhaustive {
        vec![EXHAUSTIVE.to_owned()]
    } else if options.strategy.is_empty() {
        PORTFOLIO.map(str::to_owned).to_vec()
    } else {
        options.strategy.clone()
    };
    Limits {
        iterations: options.iterations.unwrap_or(if options.exhaustive { u64::MAX } else { SCHEDULES }),
        bounds: [options.preemption_bound, options.max_branches, options.max_threads]
            .map(Option::unwrap_or_default),
        seconds: options.time,
        seed: options.seed,
        portfolio,
        depth: options.depth,
        jobs: options.jobs.unwrap_or_else(cores).max(1),
        shard: options.shard.unwrap_or((0, 1)),
        max_steps: options.max_steps,
        early_timeouts: !options.no_early_timeouts,
        spurious_wakes: !options.no_spurious_wakes,
        minimise: !options.no_minimise,
        regress: Vec::new(),
        epoch: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() * 1_000_000_000),
    }
}

/// What came of all tests, in one line.
pub(super) fn summary(parts: &[Part]) -> String {
    let tests = || parts.iter().flat_map(|part| &part.tests);
    let count = |outcome: &str| tests().filter(|test| test.outcome == outcome).count();
    let executions: u64 = tests().map(|test| test.executions).sum();
    let passed = count("passed") + count("sequential") + count("exhausted");
    let (failed, skipped, unfinished) = (count("failed"), count("skipped"), count("unfinished"));
    let (all, executions) = (counted(tests().count() as u64, "test"), counted(executions, "schedule"));
    let unfinished = if unfinished > 0 { format!(", {unfinished} without an end") } else { String::new() };
    format!("{all} under {executions}: {passed} passed, {failed} failed, {skipped} skipped{unfinished}")
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_shards_are_read_or_refused() {
        assert_eq!(parse_time("30s"), Ok(30.0));
        assert_eq!(parse_time("1.5h"), Ok(5400.0));
        assert_eq!(parse_time("250ms"), Ok(0.25));
        assert_eq!(parse_time("7"), Ok(7.0));
        assert!(parse_time("soon").is_err() && parse_time("5d").is_err() && parse_time("-1s").is_err());
        assert_eq!(parse_shard("2/4"), Ok((1, 4)));
        assert!(parse_shard("0/4").is_err() && parse_shard("5/4").is_err() && parse_shard("x").is_err());
    }
}
