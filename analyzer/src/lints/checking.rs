//! All rules over all packages: sources in, findings out.

use std::path::{Path, PathBuf};

use crate::detectors::join_repeats;
use crate::finding::{Finding, Place, SourceStats};
use crate::lints::REGISTRY;
use crate::source_model::facts::Allow;
use crate::source_model::link::Linked;
use crate::source_model::load::{self, Loaded, in_parallel};
use crate::source_model::model::Model;
use crate::source_model::packages::Package;

/// What was found.
#[derive(Debug, Default)]
pub struct Checked {
    /// Findings, most certain first, then by rule and place.
    pub findings: Vec<Finding>,
    /// How much was looked at.
    pub stats: SourceStats,
    /// Files that could not be looked at, with the reason.
    pub problems: Vec<(PathBuf, String)>,
    /// What comments allow, by file.
    pub allows: Vec<(PathBuf, Allow)>,
    /// Rules and first places of findings that a change of the source would take away.
    pub fixable: Vec<(String, Place)>,
}

/// Checks packages. `short` gives a path as reports have it, `cache` is a folder for what was extracted.
#[must_use]
pub fn check(
    packages: &[Package],
    cache: Option<&Path>,
    short: &(dyn Fn(&Path) -> String + Sync),
) -> Checked {
    let of_package = |package: &Package| {
        let edition = package.edition;
        package.files.iter().map(move |file| (file.clone(), edition)).collect::<Vec<_>>()
    };
    let all: Vec<_> = packages.iter().flat_map(of_package).collect();
    let (mut loaded, stats) = load::load(&all, cache);
    let stats = SourceStats {
        packages: packages.len() as u64,
        files: stats.files,
        lines: stats.lines,
        parsed: stats.parsed,
    };
    let mut checked = Checked { stats, ..Checked::default() };
    for file in &mut loaded {
        checked.problems.extend(file.facts.problem.clone().map(|problem| (file.path.clone(), problem)));
        let allows = std::mem::take(&mut file.facts.allows);
        checked.allows.extend(allows.into_iter().map(|allow| (file.path.clone(), allow)));
    }
    let mut parts: Vec<&[Loaded]> = Vec::with_capacity(packages.len());
    let mut rest = &loaded[..];
    for package in packages {
        let (part, after) = rest.split_at(package.files.len());
        parts.push(part);
        rest = after;
    }
    let found = in_parallel(packages.len(), |number| of_one(&packages[number], parts[number], short));
    let mut all = Vec::new();
    for (findings, fixable) in found {
        all.extend(findings);
        checked.fixable.extend(fixable);
    }
    checked.findings = join_repeats(all);
    checked
}

type Found = (Vec<Finding>, Vec<(String, Place)>);

fn of_one(package: &Package, files: &[Loaded], short: &(dyn Fn(&Path) -> String + Sync)) -> Found {
    let linked = Linked::new(package, files);
    let model = Model::new(&linked);
    let name = |file: usize| short(&files[file].path);
    let (mut findings, mut fixable) = (Vec::new(), Vec::new());
    for rule in REGISTRY {
        for draft in rule.check(&model) {
            let can_be_fixed = draft.fixable;
            let finding = draft.finish(rule.id(), &name);
            if let Some(first) = finding.locations.first().filter(|_| can_be_fixed) {
                fixable.push((rule.id().to_owned(), first.place.clone()));
            }
            findings.push(finding);
        }
    }
    (findings, fixable)
}
