//! Baselines: findings that are known, so that only new ones are reported.
//!
//! A finding is known again by its fingerprint: its rule, and for each of its places the file and the text of the
//! line, so that lines may move. Of findings with one fingerprint as many are known as the baseline has.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::config::suppression::left_out;
use crate::error::Error;
use crate::finding::{Finding, Report};
use crate::sources::Sources;

/// A baseline file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// Version of this form: 1.
    pub version: u32,
    /// Known findings, sorted.
    pub findings: Vec<Known>,
}

/// A known finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// Its rule.
    pub rule: String,
    /// The file of its first place.
    pub file: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// What was said, for people.
    pub message: String,
    /// Whether `lint` or a run found it.
    pub by: String,
}

/// What a finding is known by, whichever its lines.
#[must_use]
pub fn fingerprint(finding: &Finding, sources: &Sources) -> String {
    let line = |file: &str, line: u32| {
        let text = sources
            .get(file)
            .and_then(|source| Some(source.line(line)?.split_whitespace().collect::<String>()));
        // A mark of a comment is no code.
        let code = text.map(|text| text.split("//").next().unwrap_or("").to_owned());
        format!("{file}\n{}", code.unwrap_or_else(|| line.to_string()))
    };
    let mut places: Vec<_> =
        finding.locations.iter().map(|location| line(&location.place.file, location.place.line)).collect();
    places.sort();
    places.dedup();
    format!("{:016x}", xxh3_64(format!("{}\n{}", finding.rule, places.join("\n")).as_bytes()))
}

impl Baseline {
    /// Reads a baseline.
    ///
    /// # Errors
    /// If it cannot be read, or is none.
    pub fn load(file: &Path) -> Result<Baseline, Error> {
        let text = fs::read(file).map_err(Error::io_with_help(
            "read the baseline",
            file,
            "`--update-baseline` writes one with all that is found now",
        ))?;
        let parsed: Result<Baseline, _> = serde_json::from_slice(&text);
        match parsed {
            Ok(baseline) if baseline.version == 1 => Ok(baseline),
            other => {
                let reason = other
                    .err()
                    .map_or_else(|| "it has another version".to_owned(), |error| error.to_string());
                Err(Error::Usage {
                    message: format!("{} is no baseline: {reason}", file.display()),
                    help: Some("`--update-baseline` writes a new one".to_owned()),
                })
            }
        }
    }

    /// A baseline in which all of a report is known.
    #[must_use]
    pub fn of(report: &Report, sources: &Sources) -> Baseline {
        let known = report.findings.iter().map(|finding| Known {
            rule: finding.rule.clone(),
            file: finding.locations.first().map_or_else(String::new, |location| location.place.file.clone()),
            fingerprint: fingerprint(finding, sources),
            message: finding.message.clone(),
            by: by(report).to_owned(),
        });
        let mut findings: Vec<_> = known.collect();
        findings.sort();
        Baseline { version: 1, findings }
    }

    /// Writes it; what the other kind of command found before is kept.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(mut self, file: &Path, report: &Report) -> Result<(), Error> {
        if let Ok(before) = Baseline::load(file) {
            self.findings.extend(before.findings.into_iter().filter(|known| known.by != by(report)));
            self.findings.sort();
        }
        let mut text = serde_json::to_string_pretty(&self).expect("a baseline has only string keys");
        text.push('\n');
        fs::write(file, text).map_err(Error::io("write the baseline", file))
    }

    /// Leaves out what is known; says how much, and which entries are of use no more.
    pub fn apply(&self, report: &mut Report, sources: &Sources) {
        let mut open: BTreeMap<&str, Vec<&Known>> = BTreeMap::new();
        for known in self.findings.iter().filter(|known| known.by == by(report)) {
            open.entry(&known.fingerprint).or_default().push(known);
        }
        let before = report.findings.len();
        report.findings.retain(|finding| {
            open.get_mut(fingerprint(finding, sources).as_str()).is_none_or(|entries| entries.pop().is_none())
        });
        report.warnings.extend(left_out(before - report.findings.len(), "as they are in the baseline"));
        for known in open.into_values().flatten() {
            report.warnings.push(format!(
                "the baseline has `{}` in {}, which was not found: `--update-baseline` removes it",
                known.rule, known.file
            ));
        }
    }
}

/// What kind of command found it.
fn by(report: &Report) -> &'static str {
    if report.stats.source.is_some() { "lint" } else { "run" }
}
