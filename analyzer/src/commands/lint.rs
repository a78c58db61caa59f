//! `cargo snag lint`: static rules over sources, without a build.

use std::path::{self, Path, PathBuf};

use crate::build::project::Project;
use crate::commands::analysis::ReportOptions;
use crate::commands::progress::Progress;
use crate::commands::{Command, Given};
use crate::error::Error;
use crate::finding::{ProgramStatus, Report, Stats};
use crate::lints::checking::{self, Checked};
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
    /// Parse every file anew
    #[arg(long)]
    no_cache: bool,
}

impl Command for Lint {
    fn spec(&self) -> clap::Command {
        <Options as clap::Args>::augment_args(clap::Command::new("lint"))
            .about("Look for mistakes with locks, threads and atomics in sources, without a build")
    }

    fn execute(&self, given: Given<'_>) -> Result<u8, Error> {
        let options: Options = given.own();
        options.report.check()?;
        let (root, target, packages) = chosen(&options.paths)?;
        let sources = Sources::new(root.clone());
        let cache = target.map(|target| target.join("snag/lint-cache")).filter(|_| !options.no_cache);
        let shorten = |path: &Path| {
            let path = path.to_string_lossy();
            shortened(&root, &path)
        };
        let checked = checking::check(&packages, cache.as_deref(), &shorten);
        let report = report(checked, &shorten);
        options.report.write(&report, &sources, Progress::like_cargo(&[]).color())
    }
}

fn shortened(root: &Path, path: &str) -> String {
    Sources::new(root).shorten(path)
}

type Chosen = (PathBuf, Option<PathBuf>, Vec<Package>);

/// Root for paths, cargo's target folder, and the packages to look at.
fn chosen(paths: &[PathBuf]) -> Result<Chosen, Error> {
    if paths.is_empty() {
        let project = Project::find(&[])?;
        let packages = project.packages.iter().filter_map(|folder| packages::at(folder)).collect();
        return Ok((project.workspace_root, Some(project.target_directory), packages));
    }
    let mut packages = Vec::new();
    for given in paths {
        let absolute = path::absolute(given).map_err(Error::io("find", given))?;
        std::fs::metadata(&absolute).map_err(Error::io("read", given))?;
        packages.extend(packages::below(&absolute));
    }
    let here = std::env::current_dir().map_err(Error::io("find", Path::new(".")))?;
    Ok((here, None, packages))
}

fn report(checked: Checked, shorten: &dyn Fn(&Path) -> String) -> Report {
    let Checked { findings, stats, problems, .. } = checked;
    let warnings = problems.iter().map(|(path, problem)| format!("{}: {problem}", shorten(path)));
    Report {
        version: 1,
        run: "lint".to_owned(),
        program: ProgramStatus { exit: Some(0), signal: None },
        findings,
        stats: Stats { source: Some(stats), ..Stats::default() },
        warnings: warnings.collect(),
        fixes: Vec::new(),
    }
}
