//! Check-then-act: a decision under a lock, acted upon under the same lock taken anew.
//!
//! A thread reads what a lock protects in one critical section and writes to it in its next one of the
//! same lock, without reading again first; in between, another thread can have a section of its own, in
//! which it writes or makes the same check. The patterns are those of Lu et al., "AVIO", ASPLOS 2006
//! (read, remote write, write); what can come in between is asked of
//! [`crate::model::sync_preserving`].
//!
//! Always `potential`: that the two sections belong together is a guess (same file, few lines apart, and
//! nothing in between that the thread waited for).
//!
//! Misses: sections of different locks, a check by writing (`pop` on a guard counts as a write), and
//! locks whose guards do not record accesses (pthread).

use std::collections::{BTreeMap, BTreeSet};

use snag_trace::Kind;

use crate::detectors::Detector;
use crate::detectors::evidence::Case;
use crate::finding::{Certainty, Finding};
use crate::model::execution::{Execution, ObjectId, SiteId, ThreadId};
use crate::model::names::Names;
use crate::model::sections::Section;
use crate::model::sync_preserving::{Keep, Outcome, Reorderings};

/// The rule.
pub struct AtomicityViolation;

const ID: &str = "atomicity_violation";
/// Lines between two sections that may belong together.
const NEAR: u32 = 40;
/// Pairs of threads at the same places that are tried.
const TRIES: u32 = 16;

impl Detector for AtomicityViolation {
    fn id(&self) -> &'static str {
        ID
    }

    fn summary(&self) -> &'static str {
        "what a thread checks under a lock can change before it acts on it under the same lock"
    }

    fn detect(&self, execution: &Execution, names: &dyn Names) -> Vec<Finding> {
        let uses = uses(execution);
        let pairs = pairs(execution, &uses);
        let others = others(execution, &uses);
        let mut reorderings = Reorderings::of(execution);
        let mut tries: BTreeMap<(SiteId, SiteId), u32> = BTreeMap::new();
        let mut found: BTreeSet<(SiteId, SiteId)> = BTreeSet::new();
        let mut findings = Vec::new();
        for (pair, acts) in &pairs {
            for (other, begins) in others.get(&pair.lock).into_iter().flatten() {
                let places = (pair.check, pair.act);
                let interferes = other.writes || other.site == pair.check;
                let tried = tries.entry(places).or_default();
                if other.thread == pair.thread || !interferes || *tried >= TRIES || found.contains(&places) {
                    continue;
                }
                *tried += 1;
                if let Outcome::Together(_) = reorderings.together(&[acts, begins], Keep::Must) {
                    found.insert(places);
                    findings.push(report(execution, names, pair, other));
                }
            }
        }
        findings
    }
}

/// What a section's holder did with what the lock protects.
#[derive(Clone, Copy, Default)]
struct Use {
    reads: bool,
    writes: bool,
    /// Whether it read before it wrote.
    reads_first: bool,
}

/// What was done in each section.
fn uses(execution: &Execution) -> Vec<Use> {
    let sections = execution.sections();
    let mut uses = vec![Use::default(); sections.all().len()];
    let mut current: BTreeMap<(ThreadId, ObjectId), usize> = BTreeMap::new();
    for (index, event) in (0_u32..).zip(&execution.events) {
        let key = (event.thread, event.object);
        match event.kind {
            Kind::Acquire => {
                if let Some(section) = sections.begun_by(index) {
                    current.insert(key, section);
                }
            }
            Kind::Read | Kind::Write => {
                let Some(&section) = current.get(&key) else { continue };
                let used = &mut uses[section];
                used.reads_first |= event.kind == Kind::Read && !used.writes;
                used.reads |= event.kind == Kind::Read;
                used.writes |= event.kind == Kind::Write;
            }
            _ => {}
        }
    }
    uses
}

/// A check and the act that follows it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Pair {
    lock: ObjectId,
    thread: ThreadId,
    check: SiteId,
    act: SiteId,
}

/// Every check with its acts: the beginnings of their sections.
fn pairs(execution: &Execution, uses: &[Use]) -> BTreeMap<Pair, Vec<u32>> {
    let mut pairs: BTreeMap<Pair, Vec<u32>> = BTreeMap::new();
    let mut last: BTreeMap<(ThreadId, ObjectId), (&Section, Use)> = BTreeMap::new();
    let site = |begin: u32| execution.events[begin as usize].site;
    for (section, &second) in execution.sections().all().iter().zip(uses) {
        let before = last.insert((section.thread, section.lock), (section, second));
        let Some((before, first)) = before else { continue };
        let Some(end) = before.end.filter(|&end| end < section.begin) else { continue };
        let checks = first.reads && !first.writes && second.writes && !second.reads_first;
        let (check, act) = (site(before.begin), site(section.begin));
        if checks && near(execution, check, act) && undisturbed(execution, section.thread, end, section.begin)
        {
            let pair = Pair { lock: section.lock, thread: section.thread, check, act };
            pairs.entry(pair).or_default().push(section.begin);
        }
    }
    pairs
}

/// Whether two places may well be parts of one activity.
fn near(execution: &Execution, one: SiteId, other: SiteId) -> bool {
    let place = |site: SiteId| {
        let known = execution.sites[site.at()];
        execution.processes.get(known.process as usize)?.definitions.sites.get(&known.number)
    };
    let (Some(one), Some(other)) = (place(one), place(other)) else { return false };
    one.file == other.file && one.line.abs_diff(other.line) <= NEAR
}

/// Whether the thread learned nothing from others between two of its events: what it waits for begins
/// another activity.
fn undisturbed(execution: &Execution, thread: ThreadId, from: u32, to: u32) -> bool {
    let own = &execution.thread(thread).events;
    let between = &own[own.partition_point(|&event| event <= from)..own.partition_point(|&event| event < to)];
    !between.iter().any(|&event| {
        matches!(
            execution.events[event as usize].kind,
            Kind::Join | Kind::Receive | Kind::WaitEnd | Kind::ParkEnd | Kind::BarrierLeave | Kind::Spawn
        )
    })
}

/// Sections of one thread at one place that may come between.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Other {
    /// Writers first.
    writes: bool,
    thread: ThreadId,
    site: SiteId,
}

type Others = BTreeMap<ObjectId, BTreeMap<Other, Vec<u32>>>;

fn others(execution: &Execution, uses: &[Use]) -> Others {
    let mut others: Others = BTreeMap::new();
    for (section, used) in execution.sections().all().iter().zip(uses) {
        if !used.reads && !used.writes {
            continue;
        }
        let site = execution.events[section.begin as usize].site;
        let other = Other { writes: used.writes, thread: section.thread, site };
        others.entry(section.lock).or_default().entry(other).or_default().push(section.begin);
    }
    others
}

fn report(execution: &Execution, names: &dyn Names, pair: &Pair, other: &Other) -> Finding {
    let mut case = Case::new(execution, names, &[pair.thread, other.thread], &[pair.lock]);
    let (thread, by, lock) = (case.thread(pair.thread), case.thread(other.thread), case.object(pair.lock));
    case.at("checked", pair.thread, pair.check, format!("{thread} looks at what {lock} protects here"), &[]);
    case.at(
        "acted",
        pair.thread,
        pair.act,
        format!("{thread} changes it here, after unlocking in between"),
        &[],
    );
    let label = if other.writes {
        format!("{by} can change it in between, here")
    } else {
        format!("{by} can make the same check in between, here")
    };
    case.at("between", other.thread, other.site, label, &[]);
    case.note("that the two sections belong together is a guess".to_owned());
    let message = format!(
        "{thread} checks what {lock} protects and acts on it in another critical section; {by} can come between"
    );
    let help =
        "keep the guard from the check to the change, or check again after locking for the second time";
    case.finding(ID, Certainty::Potential, message, help)
}

#[cfg(test)]
mod tests {
    use super::AtomicityViolation;
    use crate::detectors::find;
    use crate::finding::{Certainty, Finding};

    fn found(script: &str) -> Vec<Finding> {
        find(&AtomicityViolation, script)
    }

    const CHECK_THEN_ACT: &str = "2 lock m\n2 get m\n2 unlock m\n2 lock m\n2 set m\n2 unlock m\n";

    #[test]
    fn a_check_and_an_act_with_a_writer_that_can_come_between() {
        let [finding] = &found(&format!("{CHECK_THEN_ACT}3 lock m\n3 set m\n3 unlock m"))[..] else {
            panic!("one finding")
        };
        assert_eq!(finding.certainty, Certainty::Potential);
        let places: Vec<_> =
            finding.locations.iter().map(|location| (location.role.as_str(), location.place.line)).collect();
        assert_eq!(places, [("checked", 1), ("acted", 4), ("between", 7)]);
    }

    #[test]
    fn checking_again_writing_first_or_one_section_are_fine() {
        for own in [
            "2 lock m\n2 get m\n2 unlock m\n2 lock m\n2 get m\n2 set m\n2 unlock m\n",
            "2 lock m\n2 set m\n2 unlock m\n2 lock m\n2 set m\n2 unlock m\n",
            "2 lock m\n2 get m\n2 set m\n2 unlock m\n",
            "2 lock m\n2 get m\n2 unlock m\n2 arrive bar 0\n2 leave bar 0\n2 lock m\n2 set m\n2 unlock m\n",
        ] {
            assert!(found(&format!("{own}3 lock m\n3 set m\n3 unlock m")).is_empty(), "{own}");
        }
    }

    #[test]
    fn nobody_comes_between_who_only_reads_or_is_ordered() {
        assert!(found(CHECK_THEN_ACT).is_empty());
        assert!(found(&format!("{CHECK_THEN_ACT}3 lock m\n3 get m\n3 unlock m")).is_empty());
        let joined = format!("3 lock m\n3 set m\n3 unlock m\n3 end\n2 join 3\n{CHECK_THEN_ACT}");
        assert!(found(&joined).is_empty());
        let spawned = format!("{CHECK_THEN_ACT}2 spawn 3\n3 start\n3 lock m\n3 set m\n3 unlock m");
        assert!(found(&spawned).is_empty());
    }

    #[test]
    fn sections_far_apart_do_not_belong_together() {
        let far =
            format!("2 lock m\n2 get m\n2 unlock m\n{}2 lock m\n2 set m\n2 unlock m\n", "\n".repeat(60));
        assert!(found(&format!("{far}3 lock m\n3 set m\n3 unlock m")).is_empty());
    }
}
