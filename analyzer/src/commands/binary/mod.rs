//! One binary of an exploration: cargo runs the command [`Binary`] in its place, as a runner, so that the
//! folder and the environment are those that cargo gives it. What is to be done is in a [`Job`], what came
//! of it goes into a [`Part`].

mod confirm;
mod explore;
mod record;
mod replay;
mod twice;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use miette::Diagnostic as _;
use snag_trace::control::{Ending, Step, Strategy};

use crate::commands::{Command, Given};
use crate::error::Error;
use crate::explore::filter::Filter;
use crate::explore::job::{Failed, JOB_ENV, Job, Part, Task};
use crate::explore::server::{Executed, Program, Recorded};
use crate::finding::Place;
use crate::gate::CLEAN;
use crate::names::place_of_code;
use crate::sources::Sources;

/// The strategies, with the names that people give them.
pub const STRATEGIES: [(&str, Strategy); 8] = [
    ("random", Strategy::Random),
    ("pct", Strategy::Pct),
    ("pos", Strategy::Pos),
    ("urw", Strategy::Urw),
    ("surw", Strategy::Surw),
    ("dfs", Strategy::Dfs),
    ("sequential", Strategy::Sequential),
    (EXHAUSTIVE, Strategy::Exhaustive),
];

/// The strategy that makes all executions: it takes turns with no other one.
pub const EXHAUSTIVE: &str = "exhaustive";

/// What takes turns unless something else is asked for.
pub const PORTFOLIO: [&str; 5] = ["random", "pct", "pos", "urw", "surw"];

/// The word for an ending.
#[must_use]
pub const fn word(ending: Ending) -> &'static str {
    match ending {
        Ending::None => "unfinished",
        Ending::Passed => "passed",
        Ending::Failed => "failed",
        Ending::Deadlock => "deadlock",
        Ending::StepBound => "step_bound",
        Ending::Livelock => "livelock",
        Ending::Exited => "exited",
        Ending::Killed => "killed",
        Ending::Diverged => "diverged",
        Ending::Forked => "forked",
        Ending::TooManyThreads => "too_many_threads",
        Ending::Race => "race",
        Ending::TooLong => "too_long",
        Ending::Exhausted => "exhausted",
        Ending::Hung => "hung",
        Ending::Redundant => "redundant",
    }
}

/// The command.
#[derive(Debug)]
pub struct Binary;

impl Command for Binary {
    fn spec(&self) -> clap::Command {
        let words = clap::Arg::new("words")
            .num_args(1..)
            .trailing_var_arg(true)
            .allow_hyphen_values(true)
            .value_parser(clap::value_parser!(OsString));
        clap::Command::new("__explore").hide(true).arg(words)
    }

    fn execute(&self, given: Given<'_>) -> Result<u8, Error> {
        let mut words: Vec<OsString> =
            given.matches.get_many("words").into_iter().flatten().cloned().collect();
        let job = std::env::var_os(JOB_ENV).unwrap_or_default();
        let job = Job::load(Path::new(&job))?;
        let binary = PathBuf::from(words.remove(0));
        run(&job, binary, words)?;
        Ok(CLEAN)
    }
}

/// Does the job with this binary, and writes what came of it.
fn run(job: &Job, binary: PathBuf, arguments: Vec<OsString>) -> Result<(), Error> {
    let is_program = job.cargo.first().is_some_and(|verb| verb == "run");
    let filter = if is_program { Filter::default() } else { Filter::parse(&arguments) };
    let given = if is_program { arguments } else { Vec::new() };
    let program = Program { path: binary, arguments: given, is_program };
    let sources = Sources::new(job.workspace_root.clone());
    let runner = Runner { job, program, sources };
    let part = match &job.task {
        Task::Explore(limits) => Some(runner.explore(limits, &filter)),
        // Cargo would have much to say of a runner that fails: the error is told where it is waited for.
        Task::Replay(replay) => runner.replay(replay).unwrap_or_else(|error| {
            let error =
                Failed { message: error.to_string(), help: error.help().map(|help| help.to_string()) };
            Some(Part { error: Some(error), ..Part::default() })
        }),
    };
    part.map_or(Ok(()), |part| part.save(job))
}

struct Runner<'a> {
    job: &'a Job,
    program: Program,
    sources: Sources,
}

impl Runner<'_> {
    fn name(&self) -> String {
        stem(&self.program.path)
    }

    /// How an execution ended, in a few words.
    fn describe(&self, executed: &Executed) -> String {
        let (place, text) = self.message(executed);
        let at = place.map(|place| format!(" at {}:{}", place.file, place.line)).unwrap_or_default();
        let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        match executed.ending {
            Ending::Failed if executed.message.is_empty() => format!("exit code {}", executed.status >> 8),
            Ending::Failed if at.is_empty() => first.to_owned(),
            Ending::Failed => format!("panicked{at}: {first}"),
            Ending::Deadlock => "deadlock".to_owned(),
            Ending::Livelock => format!("livelock{at}"),
            Ending::Killed => format!("killed by signal {}", executed.status & 0x7f),
            Ending::Exited => format!("the process exits with code {}", executed.status >> 8),
            Ending::Race => "data race".to_owned(),
            Ending::Diverged => format!("it goes another way at step {}{at}", executed.diverged_at),
            ending => word(ending).replace('_', " "),
        }
    }

    /// The places of the calls that return to these addresses of the executable.
    fn places_of(&self, addresses: impl Iterator<Item = u64>) -> Vec<Place> {
        let executable = self.program.path.display().to_string();
        addresses
            .filter_map(|address| place_of_code(&executable, address.checked_sub(1)?, &self.sources))
            .collect()
    }

    /// The innermost of those places below the functions that are the atomic operations themselves.
    fn place_below(&self, addresses: impl Iterator<Item = u64>) -> Option<Place> {
        let places = self.places_of(addresses);
        places.iter().find(|place| !place.is_atomic_operation()).or(places.first()).cloned()
    }

    /// Where a step is.
    fn place_of_step(&self, step: &Step, recorded: &Recorded) -> Option<Place> {
        if step.place & 1 == 1 {
            let all = [step.place >> 1].into_iter().chain(step.callers);
            return self.place_below(all.filter_map(|address| address.checked_sub(recorded.load_base)));
        }
        let (file, line, column) = recorded.places.get(&step.place)?;
        Some(Place { file: self.sources.shorten(file), line: *line, column: *column })
    }

    /// The first of those places that is not the standard library's; else the first.
    fn place_of(&self, addresses: impl Iterator<Item = u64>) -> Option<Place> {
        let places = self.places_of(addresses);
        places.iter().find(|place| !place.is_library()).or(places.first()).cloned()
    }

    /// Place and text of what the process said.
    fn message(&self, executed: &Executed) -> (Option<Place>, String) {
        let (head, text) = executed.message.split_once('\n').unwrap_or(("", &executed.message));
        if let Some(code) = head.strip_prefix("code:") {
            let addresses = code.split(',').filter_map(|code| code.parse().ok());
            return (self.place_of(addresses), text.to_owned());
        }
        let place = (|| {
            let (rest, column) = head.rsplit_once(':')?;
            let (file, line) = rest.rsplit_once(':')?;
            let (line, column) = (line.parse().ok()?, column.parse().ok()?);
            Some(Place { file: self.sources.shorten(file), line, column })
        })();
        (place, text.to_owned())
    }
}

/// The binary's name without the hash that cargo puts behind it.
#[must_use]
pub fn stem(binary: &Path) -> String {
    let name = binary.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match name.rsplit_once('-') {
        Some((stem, hash)) if hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            stem.to_owned()
        }
        _ => name,
    }
}

/// A hash of what the binary's code and data are.
fn build_of(binary: &Path) -> Option<String> {
    use object::{Object as _, ObjectSection as _, SectionKind};
    let bytes = fs::read(binary).ok()?;
    let file = object::File::parse(&*bytes).ok()?;
    let kinds =
        [SectionKind::Text, SectionKind::Data, SectionKind::ReadOnlyData, SectionKind::ReadOnlyString];
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for section in file.sections().filter(|section| kinds.contains(&section.kind())) {
        for word in section.data().ok()?.chunks(8) {
            let mut bytes = [0; 8];
            bytes[..word.len()].copy_from_slice(word);
            hash = (hash ^ u64::from_le_bytes(bytes)).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(17);
        }
    }
    Some(format!("{hash:016x}"))
}
