//! One execution in a process of its own, recorded and judged as a run is.

use std::path::Path;

use snag_trace::control::{Ending, Segment, Strategy};

use super::{Runner, word};
use crate::commands::analysis::judge;
use crate::error::Error;
use crate::explore::server::{Order, Recorded, Settings, record};
use crate::finding::{ProgramStatus, Report};
use crate::run::folder::{self, Recording, RunFolder};
use crate::run::meta::{ExploredExecution, RunMeta, StuckProcess};

/// What is to be executed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// The test: its position and its name; nothing if it is a program's `main`.
    pub(super) test: u32,
    pub(super) name: Option<&'a str>,
    pub(super) strategy: Strategy,
    pub(super) seed: u64,
    /// Number of the execution.
    pub(super) number: u64,
    pub(super) plan: &'a [Segment],
    /// For the strategy.
    pub(super) parameters: &'a [u64],
}

impl Runner<'_> {
    /// Executes, and judges the recording. The schedule is noted in the findings if it is kept in `file`.
    ///
    /// # Errors
    /// If it cannot be executed, or the recording not be read.
    pub(super) fn judged(
        &self,
        wanted: &Wanted<'_>,
        settings: Settings,
        file: Option<&Path>,
    ) -> Result<(Report, Recorded), Error> {
        let (recording, recorded) = self.recorded(wanted, settings)?;
        let mut report = judge(recording, &self.job.levels, &self.sources)?;
        for finding in &mut report.findings {
            finding.schedule = file.map(|file| self.shown(file));
        }
        Ok((report, recorded))
    }

    /// A path as a report has it.
    pub(super) fn shown(&self, file: &Path) -> String {
        file.strip_prefix(&self.job.workspace_root).unwrap_or(file).display().to_string()
    }

    /// Executes, and gives the recording.
    ///
    /// # Errors
    /// As [`Runner::judged`].
    pub(super) fn recorded(
        &self,
        wanted: &Wanted<'_>,
        settings: Settings,
    ) -> Result<(Recording, Recorded), Error> {
        let runs = self.job.snag_folder.join("runs");
        let run = RunFolder::create(&runs)?;
        folder::prune(&runs, self.job.keep);
        let mut meta = self.describe_run(&run);
        run.save(&meta)?;
        let order = Order {
            test: wanted.test,
            strategy: wanted.strategy,
            seed: wanted.seed,
            first: wanted.number,
            count: 1,
            parameters: wanted.parameters,
            plan: wanted.plan,
        };
        let settings = Settings { processor: 1, ..settings };
        let recorded = record(&self.program, settings, &order, Some(&run.path))
            .map_err(Error::io("execute", &self.program.path))?;
        let executed = &recorded.executed;
        let (place, message) = self.message(executed);
        meta.explored = Some(ExploredExecution {
            test: wanted.name.map(str::to_owned),
            ending: word(executed.ending).to_owned(),
            message,
            place,
        });
        meta.program = if executed.status & 0x7f == 0 {
            ProgramStatus { exit: Some((executed.status >> 8).cast_signed()), signal: None }
        } else {
            ProgramStatus { exit: None, signal: Some((executed.status & 0x7f).cast_signed()) }
        };
        meta.until = folder::clock_now(&run.path);
        if executed.ending == Ending::Deadlock {
            let (pid, seq) = (recorded.process, meta.until.unwrap_or(0));
            meta.stuck = vec![StuckProcess { pid, seq, ..StuckProcess::default() }];
        }
        let recording = run.load(meta)?;
        run.save(&recording.meta)?;
        Ok((recording, recorded))
    }

    fn describe_run(&self, run: &RunFolder) -> RunMeta {
        RunMeta {
            version: 1,
            id: run.id.clone(),
            command: self.job.line.clone(),
            working_directory: std::env::current_dir().unwrap_or_default().display().to_string(),
            workspace_root: self.job.workspace_root.display().to_string(),
            engine: "controlled".to_owned(),
            memory: self.job.memory,
            config: self.job.config.clone(),
            toolchain: self.job.toolchain.clone(),
            test_harness: !self.program.is_program,
            ..RunMeta::default()
        }
    }
}
