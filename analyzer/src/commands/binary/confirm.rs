//! What a recording only suspects is tried: threads are held where the suspicion says that they meet.

use std::collections::BTreeSet;
use std::path::PathBuf;

use snag_trace::control::{PARAMETERS, Strategy, flags};

use super::Runner;
use super::record::Wanted;
use crate::error::Error;
use crate::explore::job::Part;
use crate::explore::minimise::Failing;
use crate::explore::search::{Failure, Options, Searcher};
use crate::explore::server::{Recorded, Settings};
use crate::finding::{Certainty, Finding};

/// Suspicions that are tried for one test.
const SUSPECTS: usize = 8;
/// Directed executions for each that shows itself by how an execution ends.
const EXECUTIONS: u64 = 200;
/// Directed executions for each that only a recording shows.
const RECORDED: u64 = 12;

/// A suspicion that came true.
pub(super) struct Proven {
    /// The rule.
    pub(super) rule: String,
    /// The schedule's file.
    pub(super) file: PathBuf,
}

impl Runner<'_> {
    /// Tries suspicions in this test. What comes true is added to the part, with its schedule.
    ///
    /// # Errors
    /// If nothing can be executed any more.
    pub(super) fn confirm(
        &self,
        searcher: &mut Searcher<'_>,
        (number, name): (u32, Option<&str>),
        options: &Options,
        suspects: &[Finding],
        part: &mut Part,
    ) -> Result<Vec<Proven>, Error> {
        let mut proven = Vec::new();
        if suspects.is_empty() {
            return Ok(proven);
        }
        let told = Settings { flags: options.settings.flags | flags::TELL, ..options.settings };
        let wanted = self.wanted(number, name, Strategy::Sequential, options);
        let (_, recorded) = self.recorded(&wanted, told)?;
        for suspect in suspects.iter().take(SUSPECTS) {
            let spots = self.spots(suspect, &recorded);
            if spots.is_empty() {
                continue;
            }
            let found = if shows_itself(suspect) {
                self.force(searcher, (number, name), options, suspect, &spots, part)?
            } else {
                self.observe((number, name), options, suspect, &spots, part)?
            };
            proven.extend(found);
        }
        Ok(proven)
    }

    fn wanted<'a>(
        &self,
        test: u32,
        name: Option<&'a str>,
        strategy: Strategy,
        options: &Options,
    ) -> Wanted<'a> {
        Wanted { test, name, strategy, seed: options.seed, number: 0, plan: &[], parameters: &[] }
    }

    /// The spots of the operations at the finding's places, in this execution; none if it does not come to
    /// one of them.
    fn spots(&self, suspect: &Finding, recorded: &Recorded) -> Vec<u64> {
        let mut met = BTreeSet::new();
        let mut spots = BTreeSet::new();
        let lines: BTreeSet<_> =
            suspect.locations.iter().map(|at| (at.place.file.clone(), at.place.line)).collect();
        let mut known = std::collections::BTreeMap::new();
        for step in recorded.steps.iter().filter(|step| step.spot() != 0) {
            let place = known.entry(step.spot()).or_insert_with(|| self.place_of_step(step, recorded));
            let Some(place) = place else { continue };
            let line = (place.file.clone(), place.line);
            if lines.contains(&line) {
                met.insert(line);
                spots.insert(step.spot());
            }
        }
        if met.len() < lines.len().min(2) || spots.len() > PARAMETERS {
            return Vec::new();
        }
        spots.into_iter().collect()
    }

    /// Looks for an execution that fails.
    fn force(
        &self,
        searcher: &mut Searcher<'_>,
        (number, name): (u32, Option<&str>),
        options: &Options,
        suspect: &Finding,
        spots: &[u64],
        part: &mut Part,
    ) -> Result<Option<Proven>, Error> {
        let found =
            searcher.direct(number, spots, EXECUTIONS).map_err(Error::io("execute", &self.program.path))?;
        let Some(failure) = found else { return Ok(None) };
        let (file, report) = self.keep(number, name, &failure, options)?;
        let mut upgraded = suspect.clone();
        upgraded.certainty = Certainty::Confirmed;
        upgraded.schedule = Some(self.shown(&file));
        upgraded.notes.push(format!("a schedule leads there: {}", self.describe(&failure.executed)));
        part.findings.push(upgraded);
        part.findings.extend(report.findings);
        part.warnings.extend(report.warnings);
        Ok(Some(Proven { rule: suspect.rule.clone(), file }))
    }

    /// Looks for a recording that shows it.
    fn observe(
        &self,
        (number, name): (u32, Option<&str>),
        options: &Options,
        suspect: &Finding,
        spots: &[u64],
        part: &mut Part,
    ) -> Result<Option<Proven>, Error> {
        for attempt in 1..=RECORDED {
            let wanted = Wanted {
                number: attempt,
                parameters: spots,
                ..self.wanted(number, name, Strategy::Directed, options)
            };
            let (report, recorded) = self.judged(&wanted, options.settings, None)?;
            let is_it = |finding: &Finding| {
                finding.certainty == Certainty::Confirmed
                    && finding.rule == suspect.rule
                    && finding.locations.iter().any(|at| {
                        suspect.locations.iter().any(|other| {
                            (&at.place.file, at.place.line) == (&other.place.file, other.place.line)
                        })
                    })
            };
            let Some(finding) = report.findings.into_iter().find(is_it) else { continue };
            let small = Failing {
                schedule: recorded.log,
                preemptions: recorded.executed.preemptions,
                steps: recorded.executed.steps,
            };
            let (executed, found) = (recorded.executed, small.clone());
            let strategy = Strategy::Directed;
            let failure = Failure { executed, strategy, found, small, replay: Ok(()) };
            let mut schedule = self.schedule_of(name, &failure, options);
            schedule.failure.clone_from(&suspect.rule);
            let file = self.save(&schedule)?;
            part.findings.push(Finding { schedule: Some(self.shown(&file)), ..finding });
            return Ok(Some(Proven { rule: suspect.rule.clone(), file }));
        }
        Ok(None)
    }
}

/// Whether it is seen by how an execution ends, without a recording.
fn shows_itself(suspect: &Finding) -> bool {
    !matches!(&*suspect.rule, "lost_update" | "atomicity_violation" | "thread_killed_at_exit")
}
