//! `cargo snag lint`: static rules over sources, without a build.

use std::fs;
use std::path::{self, Path, PathBuf};

use crate::build::project::Project;
use crate::build::shim::cache_folder;
use crate::commands::analysis::{ReportOptions, Stream, judge};
use crate::commands::progress::Progress;
use crate::commands::{Command, Given};
use crate::config::{Config, FILE};
use crate::error::Error;
use crate::finding::{Allowed, Finding, ProgramStatus, Report, Stats};
use crate::lints::checking::{self, Checked};
use crate::lints::{fixes, siblings};
use crate::run::folder;
use crate::source_model::packages::{self, Package};
use crate::sources::Sources;

/// The command.
#[derive(Debug)]
pub struct Lint;

#[derive(Debug, clap::Args)]
struct Options {
    /// Files and folders to look at; the whole workspace if none is given
    paths: Vec<PathBuf>,
    #[command(flatten)]
    report: ReportOptions,
    /// Print messages as cargo does, for editors: `json`, `short` or `human`
    #[arg(long, value_name = "FORMAT", value_parser = ["json", "short", "human"], help_heading = "Report")]
    message_format: Option<String>,
    /// Change the source where that takes a finding away and changes nothing else
    #[arg(long)]
    fix: bool,
    /// Join what a recorded run shows: the newest one, or this one
    #[arg(long, value_name = "RUN", num_args = 0..=1, require_equals = true)]
    with_run: Option<Option<PathBuf>>,
    /// Parse every file anew
    #[arg(long)]
    no_cache: bool,
}

impl Command for Lint {
    fn spec(&self) -> clap::Command {
        <Options as clap::Args>::augment_args(clap::Command::new("lint"))
            .about("Look for mistakes with locks, threads and atomics in sources, without a build")
            .after_help(
                "Findings that the source alone proves are `predicted` and fail; others are `potential`.",
            )
    }

    fn execute(&self, given: Given<'_>) -> Result<u8, Error> {
        let mut options: Options = given.own();
        match options.message_format.as_deref() {
            Some("json") => options.report.ask_for("message-json"),
            Some(other) => options.report.ask_for(other),
            None => {}
        }
        options.report.check()?;
        let (project, packages) = chosen(&options.paths)?;
        let sources = Sources::new(project.root.clone());
        let checked = check(&project, packages, options.no_cache);
        let mut report = report(checked, &project, &sources);
        if options.fix {
            fixes::apply(&mut report, &project.root)?;
        } else {
            report.fixes.retain(|fix| report.findings.iter().any(|finding| fix.is_of(finding)));
        }
        if let Some(run) = &options.with_run {
            join_run(&mut report, run.as_deref(), &project, &sources)?;
        }
        let color = Progress::like_cargo(&[]).color();
        options.report.write(report, &sources, &project.config, color, Stream::Output)
    }
}

/// Where the sources are, and what is asked of snag there.
struct Surroundings {
    /// Paths in reports are relative to it.
    root: PathBuf,
    /// snag's folder in cargo's target folder, if there is a project.
    snag: Option<PathBuf>,
    config: Config,
}

/// The packages to look at, and what surrounds them.
fn chosen(paths: &[PathBuf]) -> Result<(Surroundings, Vec<Package>), Error> {
    let here = std::env::current_dir().map_err(Error::io("find", Path::new(".")))?;
    let in_project = here.ancestors().any(|folder| folder.join("Cargo.toml").is_file());
    let project = if paths.is_empty() || in_project { Some(Project::find(&[])?) } else { None };
    let mut packages = Vec::new();
    for given in paths {
        let absolute = path::absolute(given).map_err(Error::io("find", given))?;
        fs::metadata(&absolute).map_err(Error::io("read", given))?;
        // `..` and the like would keep files from being recognised.
        let real = fs::canonicalize(&absolute).map_err(Error::io("find", given))?;
        packages.extend(packages::below(&real));
    }
    let Some(project) = project else {
        let config = Config::in_file(&here.join(FILE))?;
        return Ok((Surroundings { root: here, snag: None, config }, packages));
    };
    if paths.is_empty() {
        packages = project.packages.iter().filter_map(|folder| packages::at(folder)).collect();
    }
    let snag = Some(project.target_directory.join("snag"));
    Ok((Surroundings { root: project.workspace_root, snag, config: project.config }, packages))
}

fn check(project: &Surroundings, mut packages: Vec<Package>, no_cache: bool) -> Checked {
    let sources = Sources::new(project.root.clone());
    for package in &mut packages {
        package.files.retain(|file| {
            let short = sources.shorten(&file.to_string_lossy());
            !project.config.exclude.iter().any(|excluded| short.starts_with(excluded))
        });
    }
    let cache = project.snag.clone().or_else(|| cache_folder().ok());
    let cache = cache.map(|folder| folder.join("lint-cache")).filter(|_| !no_cache);
    let root = project.root.clone();
    let shorten = move |path: &Path| Sources::new(root.clone()).shorten(&path.to_string_lossy());
    checking::check(&packages, cache.as_deref(), &shorten)
}

fn report(checked: Checked, project: &Surroundings, sources: &Sources) -> Report {
    let Checked { mut findings, stats, problems, allows, fixable } = checked;
    let short = |path: &Path| sources.shorten(&path.to_string_lossy());
    let mut warnings: Vec<String> =
        problems.iter().map(|(path, problem)| format!("{} is left out: {problem}", short(path))).collect();
    warnings.extend(project.config.suppress(&mut findings, true));
    let allowed = allows.into_iter().map(|(path, allow)| Allowed {
        file: short(&path),
        line: allow.line,
        rules: allow.rules,
    });
    let fixes = fixable.iter().filter_map(|(rule, place)| fixes::fix(rule, place, sources));
    Report {
        version: 1,
        run: "lint".to_owned(),
        program: ProgramStatus { exit: Some(0), signal: None },
        findings,
        stats: Stats { source: Some(stats), ..Stats::default() },
        warnings,
        fixes: fixes.collect(),
        allowed: allowed.collect(),
    }
}

/// Joins what a run shows: one finding of what both have found.
fn join_run(
    report: &mut Report,
    run: Option<&Path>,
    project: &Surroundings,
    sources: &Sources,
) -> Result<(), Error> {
    let newest = || {
        let runs = project.snag.as_ref()?.join("runs");
        let mut folders: Vec<_> = fs::read_dir(runs).ok()?.flatten().map(|entry| entry.path()).collect();
        folders.sort();
        folders.pop()
    };
    let folder = run.map(Path::to_owned).or_else(newest);
    let Some(folder) = folder else {
        return Err(Error::Usage {
            message: "there is no recorded run to join".to_owned(),
            help: Some("`cargo snag run` and `cargo snag test` record one".to_owned()),
        });
    };
    let of_run = judge(folder::load(&folder)?, &crate::gate::Levels::default(), sources)?;
    let mut shown: Vec<Finding> = of_run.findings;
    siblings::join(&mut report.findings, &mut shown, &of_run.run);
    report.warnings.extend(of_run.warnings);
    Ok(())
}
