//! From a recording to a report and an exit code: the same for a run that has just ended and for a
//! saved one.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;

use crate::commands::progress::to_stderr;
use crate::config::Config;
use crate::config::baseline::Baseline;
use crate::config::suppression::allowed_by_comments;
use crate::detectors;
use crate::error::Error;
use crate::explain;
use crate::finding::{Report, Stats};
use crate::gate::Levels;
use crate::lints;
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
    /// How to write the report: a format, or `FORMAT=FILE`; several at once if given several times
    #[arg(long, value_name = "FORMAT[=FILE]", value_parser = parse_format, help_heading = "Report", long_help = format_help())]
    pub format: Vec<Format>,
    /// Where to write the report instead of standard error
    #[arg(long, value_name = "FILE", help_heading = "Report")]
    pub output: Option<PathBuf>,
    /// Report only what is not in this file
    #[arg(long, value_name = "FILE", help_heading = "Findings")]
    pub baseline: Option<PathBuf>,
    /// Write what is found now to the baseline
    #[arg(long, help_heading = "Findings")]
    pub update_baseline: bool,
}

/// A format, and where to write it if not to the command's usual stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    id: String,
    file: Option<PathBuf>,
}

/// Where a command writes its report if not told otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output: the report is what the command is for.
    Output,
    /// Standard error: the output is the program's.
    Error,
}

fn parse_format(text: &str) -> Result<Format, String> {
    let (id, file) = match text.split_once('=') {
        Some((id, file)) => (id, Some(PathBuf::from(file))),
        None => (text, None),
    };
    if reporters::find(id).is_some() && file.as_ref().is_none_or(|file| !file.as_os_str().is_empty()) {
        return Ok(Format { id: id.to_owned(), file });
    }
    Err(format!("formats are {}; each may be followed by `=FILE`", format_ids()))
}

fn format_ids() -> String {
    reporters::REGISTRY.iter().map(|reporter| reporter.id()).collect::<Vec<_>>().join(", ")
}

fn format_help() -> String {
    format!(
        "How to write the report: {}. `FORMAT=FILE` writes it to a file; several at once if given several times",
        format_ids()
    )
}

impl ReportOptions {
    /// Refuses what cannot be done before anything is run.
    ///
    /// # Errors
    /// If a rule does not exist, or the report could not be written.
    pub fn check(&self) -> Result<(), Error> {
        let rules: Vec<_> = explain::rules().map(|(rule, _)| rule).collect();
        self.levels.check(&rules)?;
        for file in self.output.iter().chain(self.format.iter().filter_map(|format| format.file.as_ref())) {
            let opened = OpenOptions::new().create(true).append(true).open(file);
            opened.map(drop).map_err(Error::io("write", file))?;
        }
        Ok(())
    }

    /// Whether this format is asked for.
    #[must_use]
    pub fn asks_for(&self, id: &str) -> bool {
        self.format.iter().any(|format| format.id == id)
    }

    /// Asks for one more format.
    pub fn ask_for(&mut self, id: &str) {
        self.format.push(Format { id: id.to_owned(), file: None });
    }

    /// Judges the recording, writes the report, and gives the exit code.
    ///
    /// # Errors
    /// If a trace cannot be read, or the report not be written.
    pub fn conclude(&self, recording: Recording, color: bool) -> Result<u8, Error> {
        let sources = Sources::new(recording.meta.workspace_root.clone());
        let config = recording.meta.config.clone();
        let report = judge(recording, &self.levels, &sources)?;
        self.write(report, &sources, &config, color, Stream::Error)
    }

    /// Leaves out what is not to be reported, writes the report, and gives the exit code.
    ///
    /// # Errors
    /// If it cannot be written, or the baseline not be read.
    pub fn write(
        &self,
        mut report: Report,
        sources: &Sources,
        config: &Config,
        color: bool,
        stream: Stream,
    ) -> Result<u8, Error> {
        let levels = self.levels.within(&config.levels);
        report.findings.retain(|finding| levels.reports(finding));
        let (warnings, used) = allowed_by_comments(&mut report.findings, sources);
        report.warnings.extend(warnings);
        report.warnings.extend(unused_comments(&report, &used));
        self.compare(&mut report, sources, config)?;
        let usual = [Format { id: reporters::REGISTRY[0].id().to_owned(), file: None }];
        let formats = if self.format.is_empty() { &usual[..] } else { &self.format[..] };
        for format in formats {
            let reporter = reporters::find(&format.id).expect("only registered formats are accepted");
            match (&format.file, &self.output) {
                (Some(file), _) | (None, Some(file)) => {
                    let text = reporter.render(&report, sources, &Style::FILE);
                    fs::write(file, text).map_err(Error::io("write", file))?;
                }
                (None, None) => {
                    let style = Style { color, ..Style::of_stderr() };
                    let text = reporter.render(&report, sources, &style);
                    match stream {
                        Stream::Error => to_stderr(&text),
                        // Nobody may be reading any more.
                        Stream::Output => drop(std::io::stdout().write_all(text.as_bytes())),
                    }
                }
            }
        }
        Ok(levels.exit_code(&report.findings, report.program))
    }

    /// Compares with the baseline, or writes it.
    fn compare(&self, report: &mut Report, sources: &Sources, config: &Config) -> Result<(), Error> {
        let configured = config.baseline.as_ref().map(|file| sources.root().join(file));
        let file = self.baseline.clone().or(configured);
        match (file, self.update_baseline) {
            (Some(file), true) => {
                Baseline::of(report, sources).save(&file, report)?;
                let count = report.findings.len();
                report.warnings.push(format!("the baseline has {count} findings now"));
                report.findings.clear();
                Ok(())
            }
            (Some(file), false) => {
                Baseline::load(&file)?.apply(report, sources);
                Ok(())
            }
            (None, true) => Err(Error::Usage {
                message: "there is no baseline to update".to_owned(),
                help: Some(
                    "say which file it is: `--baseline snag-baseline.json --update-baseline`".to_owned(),
                ),
            }),
            (None, false) => Ok(()),
        }
    }
}

/// Comments that allow what only `cargo snag lint` could find and that it did not.
fn unused_comments(report: &Report, used: &[(String, u32)]) -> Vec<String> {
    let is_static = |rule: &String| lints::REGISTRY.iter().any(|lint| lint.id() == rule.as_str());
    let unused = report.allowed.iter().filter(|allowed| {
        !used.contains(&(allowed.file.clone(), allowed.line)) && allowed.rules.iter().all(is_static)
    });
    unused
        .map(|allowed| {
            format!("{}:{}: this `snag: allow` allows nothing that is found", allowed.file, allowed.line)
        })
        .collect()
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
    let levels = levels.within(&meta.config.levels);
    findings.retain(|finding| levels.reports(finding));
    warnings.extend(meta.config.suppress(&mut findings, false));
    Ok(Report {
        version: 1,
        run: meta.id,
        program: meta.program,
        findings,
        stats,
        warnings,
        ..Report::default()
    })
}
