//! Replaying a schedule in the binary that it was made for.

use std::path::Path;

use snag_trace::control::{Segment, Strategy, flags};

use super::record::Wanted;
use super::{Runner, build_of};
use crate::error::Error;
use crate::explore::interleaving::{Interleaving, Words};
use crate::explore::job::{Part, Replay, TestResult};
use crate::explore::schedule::Schedule;
use crate::explore::server::{Executed, Order, Recorded, Server, Settings, debug};
use crate::finding::Place;
use crate::model::execution::Execution;
use crate::model::names::Names as _;
use crate::names::SourceNames;
use crate::reporters::lanes;
use crate::run::folder::Recording;

impl Runner<'_> {
    /// Replays the schedule, unless it is one of another binary.
    ///
    /// # Errors
    /// If it cannot be read, or its binary is not what it was.
    pub(super) fn replay(&self, replay: &Replay) -> Result<Option<Part>, Error> {
        let schedule = Schedule::load(&replay.file)?;
        if schedule.binary != self.name() || schedule.test.is_none() != self.program.is_program {
            return Ok(None);
        }
        let mut part = Part { binary: self.program.path.clone(), ..Part::default() };
        if let Some(why) = self.difference(&schedule) {
            if !replay.force {
                return Err(Error::Usage {
                    message: format!("{} was made for another build: {why}", replay.file.display()),
                    help: Some("`--force` follows it as far as it goes".to_owned()),
                });
            }
            part.warnings.push(format!("the schedule was made for another build: {why}"));
        }
        let plan = schedule.segments().unwrap_or_default();
        let bits = if schedule.weak { flags::WEAK } else { 0 };
        let settings =
            Settings { max_steps: schedule.max_steps, flags: bits, epoch: schedule.epoch, processor: 1 };
        let mut server =
            Server::start(&self.program, settings).map_err(Error::io("execute", &self.program.path))?;
        let test = match &schedule.test {
            None => 0,
            Some(name) => self.number_of(&server, name)?,
        };
        let strategy = if replay.force { Strategy::Plan } else { Strategy::Replay };
        let mut result = TestResult {
            test: schedule.test.clone().unwrap_or_else(|| "main".to_owned()),
            schedule: Some(replay.file.clone()),
            ..TestResult::default()
        };
        let order = Order {
            test,
            strategy,
            seed: schedule.seed,
            first: schedule.execution.max(1),
            count: 1,
            parameters: &[],
            plan: &plan,
        };
        if replay.debug {
            drop(server);
            let debugged = debug(&self.program, settings, &order);
            debugged.map_err(|error| Error::Tool {
                command: "a debugger".to_owned(),
                reason: error.to_string(),
            })?;
            "replayed".clone_into(&mut result.outcome);
            part.tests.push(result);
            return Ok(Some(part));
        }
        let line = self.repeat(&mut server, &order, replay.times, &schedule, &mut result)?;
        drop(server);
        if !self.job.quiet {
            eprintln!("test {} ... {line}", result.test);
        }
        self.show(&order, &schedule, settings, replay, &plan, &mut part)?;
        part.tests.push(result);
        Ok(Some(part))
    }

    /// What the binary has that the schedule's had not, if it is another one.
    fn difference(&self, schedule: &Schedule) -> Option<String> {
        if build_of(&self.program.path).is_some_and(|build| build == schedule.build) {
            return None;
        }
        Some(if schedule.toolchain == self.job.toolchain {
            "the code of this binary is different (its sources, its dependencies, or how they are compiled)"
                .to_owned()
        } else {
            format!("it was compiled by {}, and this one by {}", schedule.toolchain, self.job.toolchain)
        })
    }

    fn number_of(&self, server: &Server, name: &str) -> Result<u32, Error> {
        let found = server.tests().iter().find(|test| test.name == name);
        found.map(|test| test.number).ok_or_else(|| Error::Usage {
            message: format!("there is no test `{name}` in {}", self.name()),
            help: Some("it may have been renamed: explore again".to_owned()),
        })
    }

    /// Executes as often as asked for; says how that went.
    fn repeat(
        &self,
        server: &mut Server,
        order: &Order<'_>,
        times: u64,
        schedule: &Schedule,
        result: &mut TestResult,
    ) -> Result<String, Error> {
        let mut last: Option<Executed> = None;
        for time in 1..=times {
            let executed = server.execute(order).map_err(Error::io("execute", &self.program.path))?;
            result.executions = time;
            let ends_alike = super::word(executed.ending) == schedule.ending
                && executed.fingerprint == schedule.fingerprint;
            let length = |executed: &Executed| (executed.steps, executed.choices, executed.preemptions);
            let is_as_long = last.as_ref().is_none_or(|last| length(last) == length(&executed));
            let follows = order.strategy != Strategy::Replay || server.log() == order.plan;
            if !ends_alike || !is_as_long || !follows {
                "differs".clone_into(&mut result.outcome);
                result.reason = self.describe(&executed);
                let how = if ends_alike { "other steps lead to: " } else { "" };
                return Ok(format!(
                    "DIFFERS in replay {time} of {times}: {how}{}, and it was: {}",
                    result.reason, schedule.failure
                ));
            }
            last = Some(executed);
        }
        "replayed".clone_into(&mut result.outcome);
        result.reason = last.map(|executed| self.describe(&executed)).unwrap_or_default();
        let how_often =
            if times == 1 { "once".to_owned() } else { format!("{times} times, each time the same") };
        Ok(format!("replayed {how_often}: {}", result.reason))
    }

    /// Records one more replay, prints its steps, and judges it.
    fn show(
        &self,
        order: &Order<'_>,
        schedule: &Schedule,
        settings: Settings,
        replay: &Replay,
        plan: &[Segment],
        part: &mut Part,
    ) -> Result<(), Error> {
        let wanted = Wanted {
            test: order.test,
            name: schedule.test.as_deref(),
            strategy: order.strategy,
            seed: order.seed,
            number: order.first,
            plan,
            parameters: &[],
        };
        let shown = Settings { flags: settings.flags | flags::TELL, ..settings };
        let (recording, recorded) = self.recorded(&wanted, shown)?;
        let interleaving = self.interleaving(&recording, &recorded)?;
        if replay.json {
            part.interleaving = serde_json::to_value(&interleaving).ok();
        } else {
            print!("{}", lanes::render(&interleaving));
        }
        let file: &Path = &replay.file;
        let mut report = crate::commands::analysis::judge(recording, &self.job.levels, &self.sources)?;
        for finding in &mut report.findings {
            finding.schedule = Some(self.shown(file));
        }
        part.findings = report.findings;
        part.stats = report.stats;
        part.warnings.extend(report.warnings);
        Ok(())
    }

    fn interleaving(&self, recording: &Recording, recorded: &Recorded) -> Result<Interleaving, Error> {
        let mut traces = Vec::new();
        for family in &recording.families {
            traces.extend(recording.read(family)?.traces);
        }
        let execution = Execution::load(traces, &recording.meta);
        let names = SourceNames::new(&execution, &self.sources);
        Ok(Interleaving::of(recorded, &Spoken { runner: self, execution: &execution, names: &names }))
    }
}

/// Names and places for steps, from the recording of the same execution.
struct Spoken<'a> {
    runner: &'a Runner<'a>,
    execution: &'a Execution,
    names: &'a SourceNames<'a>,
}

impl Words for Spoken<'_> {
    fn thread(&self, task: usize) -> String {
        // Both count threads in the order in which they are created.
        self.names.thread(0, task as u32 + 1).name
    }

    fn object(&self, address: u64) -> Option<String> {
        let definitions = &self.execution.processes.first()?.definitions;
        let found = definitions.objects.iter().rev().find(|(_, info)| info.address == address)?;
        Some(self.names.object(0, *found.0).name)
    }

    fn code(&self, addresses: &[u64]) -> Option<Place> {
        self.runner.place_below(addresses.iter().copied())
    }

    fn shorten(&self, file: &str) -> String {
        self.runner.sources.shorten(file)
    }

    fn text(&self, place: &Place) -> Option<String> {
        const MOST: usize = 30;
        let source = self.runner.sources.get(&place.file)?;
        let line = source.line(place.line)?;
        let at = line.char_indices().nth(place.column.checked_sub(1)? as usize)?.0;
        // What the method that stands there is called on.
        let is_part = |letter: char| letter.is_alphanumeric() || "_.[]".contains(letter);
        let before = line[..at].strip_suffix('.').unwrap_or_default();
        let receiver = before.trim_end_matches(is_part);
        if receiver.len() < before.len() {
            return Some(format!("`{}`", &before[receiver.len()..]));
        }
        let rest: String = line[at..].chars().take(MOST).collect();
        let end = rest.find([';', '{', '}', '(']).unwrap_or(rest.len());
        let rest = rest[..end].trim();
        (!rest.is_empty()).then(|| format!("`{rest}`"))
    }
}
