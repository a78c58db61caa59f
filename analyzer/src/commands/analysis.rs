//! From a recording to a report and an exit code: the same for a run that has just ended and for a
//! saved one.

use std::fs::{self, OpenOptions};
use std::path::PathBuf;

use crate::commands::progress::to_stderr;
use crate::detectors;
use crate::error::Error;
use crate::finding::{Report, Stats};
use crate::gate::Levels;
use crate::model::execution::Execution;
use crate::names::SourceNames;
use crate::reporters::{self, Style};
use crate::run::folder::{Family, Recording};
use crate::sources::Sources;

/// How to report.
#[derive(Clone, Debug, clap::Args)]
pub struct ReportOptions {
    /// What counts as a failure.
    #[command(flatten)]
    pub levels: Levels,
    /// How to write the report
    #[arg(long, default_value = "human", value_parser = formats(), help_heading = "Report")]
    pub format: String,
    /// Where to write the report instead of standard error
    #[arg(long, value_name = "FILE", help_heading = "Report")]
    pub output: Option<PathBuf>,
}

fn formats() -> clap::builder::PossibleValuesParser {
    clap::builder::PossibleValuesParser::new(reporters::REGISTRY.iter().map(|reporter| reporter.id()))
}

impl ReportOptions {
    /// Refuses what cannot be done before anything is run.
    ///
    /// # Errors
    /// If a rule does not exist, or the report could not be written.
    pub fn check(&self) -> Result<(), Error> {
        let rules: Vec<_> = detectors::REGISTRY.iter().map(|detector| detector.id()).collect();
        self.levels.check(&rules)?;
        match &self.output {
            None => Ok(()),
            Some(file) => {
                let opened = OpenOptions::new().create(true).append(true).open(file);
                opened.map(drop).map_err(Error::io("write", file))
            }
        }
    }

    /// Judges the recording, writes the report, and gives the exit code.
    ///
    /// # Errors
    /// If a trace cannot be read, or the report not be written.
    pub fn conclude(&self, recording: Recording, color: bool) -> Result<u8, Error> {
        let sources = Sources::new(recording.meta.workspace_root.clone());
        let report = judge(recording, &self.levels, &sources)?;
        self.write(&report, &sources, color)
    }

    /// Writes the report, and gives the exit code.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, report: &Report, sources: &Sources, color: bool) -> Result<u8, Error> {
        let reporter = reporters::find(&self.format).expect("clap accepts only registered formats");
        match &self.output {
            None => {
                let style = Style { color, ..Style::of_stderr() };
                to_stderr(&reporter.render(report, sources, &style));
            }
            Some(file) => {
                let text = reporter.render(report, sources, &Style::FILE);
                fs::write(file, text).map_err(Error::io("write", file))?;
            }
        }
        Ok(self.levels.exit_code(&report.findings, report.program))
    }
}

/// Judges one family of processes after the other, so that only one is in memory at a time.
///
/// # Errors
/// If a trace cannot be read.
pub fn judge(recording: Recording, levels: &Levels, sources: &Sources) -> Result<Report, Error> {
    let mut stats = Stats::default();
    let (mut found, mut warnings) = (Vec::new(), Vec::new());
    for family in &recording.families {
        let Family { traces, warnings: of_family } = recording.read(family)?;
        let mut execution = Execution::load(traces, &recording.meta);
        execution.earlier_processes = stats.processes as u32;
        found.extend(detectors::run_all(&execution, &SourceNames::new(&execution, sources)));
        warnings.extend(of_family);
        stats.add(&Stats {
            events: execution.events.len() as u64,
            threads: execution.thread_ids().count() as u64,
            processes: execution.processes.len() as u64,
            memory: execution.memory.stats(),
            source: None,
        });
    }
    let Recording { meta, warnings: of_run, .. } = recording;
    warnings.extend(of_run);
    let mut findings = detectors::join_repeats(found);
    findings.retain(|finding| levels.reports(finding));
    let reported = findings.len();
    findings.retain(|finding| !meta.ignore.iter().any(|ignore| ignore.covers(finding)));
    match reported - findings.len() {
        0 => {}
        1 => warnings.push("1 finding is left out, as `ignore` in the manifest asks".to_owned()),
        count => warnings.push(format!("{count} findings are left out, as `ignore` in the manifest asks")),
    }
    Ok(Report { version: 1, run: meta.id, program: meta.program, findings, stats, warnings, fixes: Vec::new() })
}
