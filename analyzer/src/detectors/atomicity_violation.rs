//! Check-then-act: a value seen under a lock, acted upon under the same lock taken anew.
//!
//! A thread reads what a lock protects in one critical section and writes to it in its next one of the
//! same lock, without reading again first; in between, another thread can have a section of its own, in
//! which it writes or makes the same check. The patterns are those of Lu et al., "AVIO", ASPLOS 2006
//! (read, remote write, write); what can come in between is asked of
//! [`crate::model::sync_preserving`], and how the write depends on the read of the source ([`Flow`]).
//!
//! Certainty is earned by an *update*: what is written is computed from what was read so that another value
//! gives another result, it replaces what was there, and the code goes straight from one section to the other.
//! * `confirmed`: another thread's update from the same value came between, and no third thread read what it
//!   wrote. Both wrote `f(v)`, one after the other: it is lost.
//! * `predicted`: one thread can stand before its write while another stands before its read
//!   ([`Keep::Everything`]), and nothing but these two sections is on the other's way to the end of its update.
//!   Then the other's is lost.
//! * `potential`: the rest. If the source does not tell whether the two sections belong together, that is
//!   guessed: same file, few lines apart, and nothing in between that the thread waited for.
//!
//! If the source says that what is written has nothing to do with what was read, nothing is said.
//!
//! A lock of C does not say what was done under it. What is done with memory that processes share is known, and
//! so is what was done under a lock that they share: see [`crate::model::shared_sections`].
//!
//! Misses: sections of different locks, a check by writing (`pop` on a guard counts as a write), and
//! other locks of C.

use std::collections::{BTreeMap, BTreeSet};

use snag_trace::Kind;

use crate::detectors::Detector;
use crate::detectors::evidence::calls::{calls, up_to_common};
use crate::detectors::evidence::{Case, place};
use crate::finding::{Certainty, Finding};
use crate::model::execution::{Execution, ObjectId, SiteId, ThreadId};
use crate::model::flow::{Flow, Step};
use crate::model::guards::{Guards, Locks, exclude};
use crate::model::names::Names;
use crate::model::sections::Section;
use crate::model::sync_preserving::{Keep, Outcome, Reorderings};
use crate::model::uses::{Use, uses};

/// The rule.
pub struct AtomicityViolation;

const ID: &str = "atomicity_violation";
/// Lines between two sections that may belong together.
const NEAR: u32 = 40;
/// Pairs of threads at the same places that are tried.
const TRIES: u32 = 16;
/// Sections that are looked through for one that came between, in all.
const LOOKS: usize = 1 << 22;

impl Detector for AtomicityViolation {
    fn id(&self) -> &'static str {
        ID
    }

    fn summary(&self) -> &'static str {
        "what a thread saw under a lock can change before it acts on it under the same lock"
    }

    fn detect(&self, execution: &Execution, names: &dyn Names) -> Vec<Finding> {
        let uses = uses(execution);
        let guards = Guards::of(execution);
        let pairs = pairs(execution, names, &uses, &guards);
        let mut found: BTreeMap<(SiteId, SiteId), Finding> = BTreeMap::new();
        for (pair, other) in Updates::of(execution, &uses, &pairs).lost() {
            let report = || report(execution, names, pair, &other, Certainty::Confirmed);
            found.entry((pair.check, pair.act)).or_insert_with(report);
        }
        let mut reorderings = Reorderings::of(execution);
        for (pair, other) in predicted(execution, &pairs, &mut reorderings, found.keys().copied().collect()) {
            let report = || report(execution, names, pair, &other, Certainty::Predicted);
            found.entry((pair.check, pair.act)).or_insert_with(report);
        }
        for (pair, other) in possible(
            execution,
            &others(execution, &uses, &guards),
            &pairs,
            &mut reorderings,
            found.keys().copied().collect(),
        ) {
            let report = || report(execution, names, pair, &other, Certainty::Potential);
            found.entry((pair.check, pair.act)).or_insert_with(report);
        }
        found.into_values().collect()
    }
}

/// A check and the act that follows it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Pair {
    lock: ObjectId,
    thread: ThreadId,
    check: SiteId,
    act: SiteId,
    /// What is held from one to the other.
    held: Locks,
}

/// What is known of a pair.
struct Known {
    flow: Flow,
    instances: Vec<Instance>,
}

/// The indices of two sections.
#[derive(Clone, Copy)]
struct Instance {
    check: usize,
    act: usize,
}

impl Known {
    /// Whether an update of another thread's between the two is lost.
    fn is_update(&self) -> bool {
        let distinct = Step::Distinct;
        matches!(self.flow, Flow::Computed { step, always: true, overwrites: true } if step == distinct)
    }
}

/// Every check with its acts.
fn pairs(execution: &Execution, names: &dyn Names, uses: &[Use], guards: &Guards) -> BTreeMap<Pair, Known> {
    let mut pairs: BTreeMap<Pair, Known> = BTreeMap::new();
    let mut flows: BTreeMap<(SiteId, SiteId), Flow> = BTreeMap::new();
    let mut last: BTreeMap<(ThreadId, ObjectId), usize> = BTreeMap::new();
    let sections = execution.sections().all();
    let site = |section: usize| place_of(execution, &uses[section], &sections[section]);
    for (act, section) in sections.iter().enumerate() {
        let Some(check) = last.insert((section.thread, section.lock), act) else { continue };
        let (before, first, second) = (&sections[check], uses[check], uses[act]);
        let Some(end) = before.end.filter(|&end| end < section.begin) else { continue };
        if !first.reads || first.writes || !second.writes || second.reads_first {
            continue;
        }
        if !first.may_be_of_the_same_as(&second) {
            continue;
        }
        let places = (site(check), site(act));
        let flow = *flows.entry(places).or_insert_with(|| flow(execution, names, places));
        let guessed = || {
            near(execution, places.0, places.1) && undisturbed(execution, section.thread, end, section.begin)
        };
        let together = match flow {
            Flow::None => false,
            Flow::Unknown => guessed(),
            _ => true,
        };
        if together {
            let pair = Pair {
                lock: section.lock,
                thread: section.thread,
                check: places.0,
                act: places.1,
                held: guards.across(execution, check, act),
            };
            let known = pairs.entry(pair).or_insert_with(|| Known { flow, instances: Vec::new() });
            known.instances.push(Instance { check, act });
        }
    }
    pairs
}

/// Where a section is in the source: where it touches what its lock protects, or else where it begins.
fn place_of(execution: &Execution, used: &Use, section: &Section) -> SiteId {
    used.site.unwrap_or(execution.events[section.begin as usize].site)
}

/// How the write in a section bears on the read in another.
fn flow(execution: &Execution, names: &dyn Names, (check, act): (SiteId, SiteId)) -> Flow {
    let ways = |site: SiteId| {
        let known = execution.sites[site.at()];
        let stacks = &execution.processes.get(known.process as usize)?.definitions.code_sites;
        let stack = stacks.get(&known.number).filter(|stack| stack.len() > 1)?;
        calls(&names.frames(known.process, stack))
    };
    if let Some((check, act)) = ways(check).zip(ways(act)) {
        return up_to_common(&check, &act).map_or(Flow::Unknown, |(check, act)| names.flow(&check, &act));
    }
    let [check, act] = [check, act].map(|site| place(execution, names, site));
    check.zip(act).map_or(Flow::Unknown, |(check, act)| names.flow(&[check], &[act]))
}

/// Whether two places may well be parts of one activity. One place that stands for both is that of a function
/// which only locks, for whomever.
fn near(execution: &Execution, one: SiteId, other: SiteId) -> bool {
    let place = |site: SiteId| {
        let known = execution.sites[site.at()];
        execution.processes.get(known.process as usize)?.definitions.sites.get(&known.number)
    };
    let (Some(one), Some(other)) = (place(one), place(other)) else { return false };
    one != other && one.file == other.file && one.line.abs_diff(other.line) <= NEAR
}

/// What a thread did between two of its events.
fn events_between(execution: &Execution, thread: ThreadId, from: u32, to: u32) -> &[u32] {
    let own = &execution.thread(thread).events;
    &own[own.partition_point(|&event| event <= from)..own.partition_point(|&event| event < to)]
}

/// Whether the thread learned nothing from others between two of its events: what it waits for begins
/// another activity.
fn undisturbed(execution: &Execution, thread: ThreadId, from: u32, to: u32) -> bool {
    !events_between(execution, thread, from, to).iter().any(|&event| {
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

/// Updates, and what other sections of their locks there are.
struct Updates<'a> {
    execution: &'a Execution,
    uses: &'a [Use],
    /// In the order of their acts.
    all: Vec<(&'a Pair, Instance)>,
    /// The check that belongs to an act.
    checks: BTreeMap<usize, usize>,
    /// The sections of each lock, in order.
    of_lock: BTreeMap<ObjectId, Vec<usize>>,
    /// By section: how many before it wrote to what the same lock protects.
    version: Vec<u32>,
}

impl<'a> Updates<'a> {
    fn of(execution: &'a Execution, uses: &'a [Use], pairs: &'a BTreeMap<Pair, Known>) -> Updates<'a> {
        let updates = pairs.iter().filter(|(_, known)| known.is_update());
        let mut all: Vec<_> = updates
            .flat_map(|(pair, known)| known.instances.iter().map(move |&instance| (pair, instance)))
            .collect();
        all.sort_by_key(|(_, instance)| instance.act);
        let checks = all.iter().map(|(_, instance)| (instance.act, instance.check)).collect();
        let locks: BTreeSet<ObjectId> = all.iter().map(|(pair, _)| pair.lock).collect();
        let mut of_lock: BTreeMap<ObjectId, Vec<usize>> = BTreeMap::new();
        let mut version = vec![0; uses.len()];
        let mut written: BTreeMap<ObjectId, u32> = BTreeMap::new();
        for (index, section) in execution.sections().all().iter().enumerate() {
            if locks.contains(&section.lock) {
                of_lock.entry(section.lock).or_default().push(index);
                let written = written.entry(section.lock).or_default();
                version[index] = *written;
                *written += u32::from(uses[index].writes);
            }
        }
        Updates { execution, uses, all, checks, of_lock, version }
    }

    /// Updates that overwrote another one.
    fn lost(&self) -> Vec<(&'a Pair, Other)> {
        let mut budget = LOOKS;
        let found = self.all.iter().filter_map(|&(pair, instance)| {
            let victim = self.victim(pair, instance, &mut budget)?;
            let section = self.execution.sections().all()[victim];
            let site = place_of(self.execution, &self.uses[victim], &section);
            Some((pair, Other { writes: true, thread: section.thread, site }))
        });
        found.collect()
    }

    /// The last section between the two, if it is another thread's update from the same value that nobody
    /// has read since.
    fn victim(&self, pair: &Pair, instance: Instance, budget: &mut usize) -> Option<usize> {
        let sections = self.of_lock.get(&pair.lock)?;
        let from = sections.partition_point(|&section| section <= instance.check);
        let to = sections.partition_point(|&section| section < instance.act);
        let between = sections.get(from..to)?;
        *budget = budget.checked_sub(between.len())?;
        let last = between.iter().rposition(|&section| self.uses[section].writes)?;
        let victim = between[last];
        let all = self.execution.sections().all();
        let is_unread = between[last + 1..]
            .iter()
            .all(|&later| !self.uses[later].reads || all[later].thread == all[victim].thread);
        let same_value = self.version[*self.checks.get(&victim)?] == self.version[instance.check];
        (is_unread && same_value && all[victim].thread != pair.thread).then_some(victim)
    }
}

/// Updates that another one can overwrite in another order of this run.
fn predicted<'a>(
    execution: &Execution,
    pairs: &'a BTreeMap<Pair, Known>,
    reorderings: &mut Reorderings<'_>,
    mut found: BTreeSet<(SiteId, SiteId)>,
) -> Vec<(&'a Pair, Other)> {
    let sections = execution.sections().all();
    let mut tries: BTreeMap<(SiteId, SiteId), u32> = BTreeMap::new();
    let mut result = Vec::new();
    let updates = || pairs.iter().filter(|(_, known)| known.is_update());
    for (pair, known) in updates() {
        let places = (pair.check, pair.act);
        let acts: Vec<u32> = known.instances.iter().map(|it| sections[it.act].begin).collect();
        for (other, theirs) in updates() {
            let tried = tries.entry(places).or_default();
            let interferes = other.lock == pair.lock && other.thread != pair.thread;
            if !interferes || *tried >= TRIES || found.contains(&places) {
                continue;
            }
            let uninterrupted = theirs.instances.iter().filter(|it| is_uninterrupted(execution, **it));
            let begins: Vec<u32> = uninterrupted.map(|it| sections[it.check].begin).collect();
            *tried += 1;
            if let Outcome::Together(_) = reorderings.together(&[&acts, &begins], Keep::Everything) {
                found.insert(places);
                result.push((pair, Other { writes: true, thread: other.thread, site: other.act }));
            }
        }
    }
    result
}

/// Whether a thread did nothing between two of its sections that another could have to do with.
fn is_uninterrupted(execution: &Execution, instance: Instance) -> bool {
    let all = execution.sections().all();
    let (check, act) = (all[instance.check], all[instance.act]);
    let end = check.end.unwrap_or(act.begin);
    let waits_for = |event: &u32| {
        let event = &execution.events[*event as usize];
        !(event.kind == Kind::Request && event.object == act.lock)
    };
    !events_between(execution, act.thread, end, act.begin).iter().any(waits_for)
}

/// By lock: sections of a thread at a place, what else is held there, and where they begin.
type Others = BTreeMap<ObjectId, BTreeMap<(Other, Locks), Vec<u32>>>;

fn others(execution: &Execution, uses: &[Use], guards: &Guards) -> Others {
    let mut others: Others = BTreeMap::new();
    for (number, (section, used)) in execution.sections().all().iter().zip(uses).enumerate() {
        if !used.reads && !used.writes {
            continue;
        }
        let site = place_of(execution, used, section);
        let other = Other { writes: used.writes, thread: section.thread, site };
        let key = (other, guards.at(execution, number));
        others.entry(section.lock).or_default().entry(key).or_default().push(section.begin);
    }
    others
}

/// Checks whose acts no order of the program keeps others away from.
fn possible<'a>(
    execution: &Execution,
    others: &Others,
    pairs: &'a BTreeMap<Pair, Known>,
    reorderings: &mut Reorderings<'_>,
    mut found: BTreeSet<(SiteId, SiteId)>,
) -> Vec<(&'a Pair, Other)> {
    let mut tries: BTreeMap<(SiteId, SiteId), u32> = BTreeMap::new();
    let mut result = Vec::new();
    for (pair, known) in pairs {
        let acts: Vec<u32> =
            known.instances.iter().map(|it| execution.sections().all()[it.act].begin).collect();
        // Whoever only looks changes no value that is computed with; it may pass a check as well.
        let checks = !matches!(known.flow, Flow::Computed { .. });
        for ((other, held), begins) in others.get(&pair.lock).into_iter().flatten() {
            let places = (pair.check, pair.act);
            let comes = other.writes || (checks && other.site == pair.check);
            let interferes = comes && !exclude(&pair.held, held);
            let tried = tries.entry(places).or_default();
            if other.thread == pair.thread || !interferes || *tried >= TRIES || found.contains(&places) {
                continue;
            }
            *tried += 1;
            if let Outcome::Together(_) = reorderings.together(&[&acts, begins], Keep::Must) {
                found.insert(places);
                result.push((pair, *other));
            }
        }
    }
    result
}

fn report(
    execution: &Execution,
    names: &dyn Names,
    pair: &Pair,
    other: &Other,
    certainty: Certainty,
) -> Finding {
    let mut case = Case::new(execution, names, &[pair.thread, other.thread], &[pair.lock]);
    let (thread, by, lock) = (case.thread(pair.thread), case.thread(other.thread), case.object(pair.lock));
    case.at("checked", pair.thread, pair.check, format!("{thread} looks at what {lock} protects here"), &[]);
    let label = format!("{thread} changes it here, after unlocking in between");
    case.at("acted", pair.thread, pair.act, label, &[]);
    let label = match (certainty, other.writes) {
        (Certainty::Confirmed, _) => format!("{by} changes it here in between, and nobody has read that"),
        (_, true) => format!("{by} can change it in between, here"),
        (_, false) => format!("{by} can make the same check in between, here"),
    };
    case.at("between", other.thread, other.site, label, &[]);
    let message = match certainty {
        Certainty::Confirmed => format!(
            "{thread} overwrites what {by} wrote under {lock}: it had looked at an older value in another critical section"
        ),
        Certainty::Predicted => {
            add_witness(&mut case, pair, other, &lock);
            format!(
                "{thread} writes what it computed from a look at what {lock} protects in another critical section, and can lose what {by} writes in between"
            )
        }
        Certainty::Potential => {
            if matches!(pair_flow(execution, names, pair), Flow::Unknown) {
                case.note("that the two sections belong together is a guess".to_owned());
            } else {
                case.note("whether it matters that somebody comes between is for you to judge".to_owned());
            }
            format!(
                "{thread} checks what {lock} protects and acts on it in another critical section; {by} can come between"
            )
        }
    };
    let help =
        "keep the guard from the check to the change, or check again after locking for the second time";
    case.finding(ID, certainty, message, help)
}

fn pair_flow(execution: &Execution, names: &dyn Names, pair: &Pair) -> Flow {
    flow(execution, names, (pair.check, pair.act))
}

/// Who runs until where.
fn add_witness(case: &mut Case<'_>, pair: &Pair, other: &Other, lock: &str) {
    case.step(pair.thread, format!("looks at what {lock} protects, and unlocks it"), pair.check);
    case.step(other.thread, "looks at it too, and writes a new value".to_owned(), other.site);
    case.step(
        pair.thread,
        "writes what it computed before that: the other thread's value is lost".to_owned(),
        pair.act,
    );
}

#[cfg(test)]
mod tests {
    use super::AtomicityViolation;
    use crate::detectors::{find, find_with};
    use crate::finding::{Certainty, Finding};
    use crate::model::flow::{Flow, Step, Test};

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

    const UPDATE: Flow = Flow::Computed { step: Step::Distinct, always: true, overwrites: true };
    const GUARDED: Flow = Flow::Guarded { test: Test::Other, again: false, overwrites: false };

    /// Looks on line 1 and on line 7 of thread 2 and 3, writes on line 4 and line 10.
    const TWO_UPDATES: &str = "2 lock m\n2 get m\n2 unlock m\n2 lock m\n2 set m\n2 unlock m\n\
                               3 lock m\n3 get m\n3 unlock m\n3 lock m\n3 set m\n3 unlock m\n";
    /// The same, thread 3 between the two of thread 2.
    const BETWEEN: &str = "2 lock m\n2 get m\n2 unlock m\n3 lock m\n3 get m\n3 unlock m\n\
                           3 lock m\n3 set m\n3 unlock m\n2 lock m\n2 set m\n2 unlock m\n";

    fn certainties(script: &str, flows: &[(u32, u32, Flow)]) -> Vec<Certainty> {
        let found = find_with(&AtomicityViolation, script, flows);
        found.iter().map(|finding| finding.certainty).collect()
    }

    #[test]
    fn an_update_that_another_one_overwrote_is_confirmed() {
        let found = find_with(&AtomicityViolation, BETWEEN, &[(1, 10, UPDATE), (4, 7, UPDATE)]);
        let lost: Vec<_> = found.iter().filter(|it| it.certainty == Certainty::Confirmed).collect();
        let [finding] = &lost[..] else { panic!("one is confirmed: {found:?}") };
        let places: Vec<_> = finding.locations.iter().map(|at| (at.role.as_str(), at.place.line)).collect();
        assert_eq!(places, [("checked", 1), ("acted", 10), ("between", 7)]);
    }

    #[test]
    fn an_update_is_not_known_to_be_lost_if_it_was_read_or_began_from_another_value() {
        let flows = [(1, 13, UPDATE), (4, 7, UPDATE)];
        let read = BETWEEN.replace("2 lock m\n2 set", "4 lock m\n4 get m\n4 unlock m\n2 lock m\n2 set");
        assert!(!certainties(&read, &flows).contains(&Certainty::Confirmed));
        let fresh = BETWEEN.replacen("3 lock m", "4 lock m\n4 set m\n4 unlock m\n3 lock m", 1);
        assert!(!certainties(&fresh, &[(1, 13, UPDATE), (7, 10, UPDATE)]).contains(&Certainty::Confirmed));
        assert!(!certainties(BETWEEN, &[(1, 10, UPDATE)]).contains(&Certainty::Confirmed));
    }

    #[test]
    fn updates_one_after_the_other_are_predicted_to_lose_one() {
        let flows = [(1, 4, UPDATE), (7, 10, UPDATE)];
        let found = find_with(&AtomicityViolation, TWO_UPDATES, &flows);
        let [first, _] = &found[..] else { panic!("either can be lost: {found:?}") };
        assert_eq!(first.certainty, Certainty::Predicted);
        let steps: Vec<_> = first
            .witness
            .iter()
            .map(|step| (step.thread, step.place.as_ref().expect("known").line))
            .collect();
        assert_eq!(steps, [(0, 1), (1, 10), (0, 4)]);
    }

    #[test]
    fn only_updates_are_predicted() {
        for flow in [
            GUARDED,
            Flow::Unknown,
            Flow::Computed { step: Step::Other, always: true, overwrites: true },
            Flow::Computed { step: Step::Distinct, always: false, overwrites: true },
            Flow::Computed { step: Step::Distinct, always: true, overwrites: false },
        ] {
            let all = certainties(TWO_UPDATES, &[(1, 4, flow), (7, 10, flow)]);
            assert!(!all.is_empty() && all.iter().all(|it| *it == Certainty::Potential), "{flow:?} {all:?}");
        }
    }

    #[test]
    fn what_has_nothing_to_do_with_the_look_is_no_act() {
        assert!(certainties(TWO_UPDATES, &[(1, 4, Flow::None), (7, 10, Flow::None)]).is_empty());
    }

    #[test]
    fn an_order_that_must_stay_keeps_updates_apart() {
        let flows = [(1, 4, UPDATE), (8, 11, UPDATE)];
        let sent = TWO_UPDATES.replacen("3 lock", "2 send ch 1\n3 lock", 1);
        assert_eq!(certainties(&sent, &flows)[0], Certainty::Predicted, "it is not received");
        let received = sent.replacen("3 lock", "3 receive ch 1\n3 lock", 1);
        assert!(certainties(&received, &[(1, 4, UPDATE), (9, 12, UPDATE)]).is_empty());
        let outer = "2 write rw\n2 lock m\n2 get m\n2 unlock m\n2 lock m\n2 set m\n2 unlock m\n2 unlock rw\n\
                     3 write rw\n3 lock m\n3 get m\n3 unlock m\n3 lock m\n3 set m\n3 unlock m\n3 unlock rw\n";
        let flows = [(2, 5, UPDATE), (10, 13, UPDATE)];
        assert!(certainties(outer, &flows).is_empty());
        let readers = outer.replace("write rw", "read rw");
        assert_eq!(certainties(&readers, &flows)[0], Certainty::Predicted);
    }

    #[test]
    fn a_barrier_on_the_way_is_in_the_way_of_a_prediction() {
        let script = "2 lock m\n2 get m\n2 unlock m\n3 lock m\n3 get m\n3 unlock m\n2 arrive bar 0\n\
                      3 arrive bar 0\n2 leave bar 0\n3 leave bar 0\n2 lock m\n2 set m\n2 unlock m\n\
                      3 lock m\n3 set m\n3 unlock m\n";
        let all = certainties(script, &[(1, 11, UPDATE), (4, 14, UPDATE)]);
        assert!(all.contains(&Certainty::Confirmed) && !all.contains(&Certainty::Predicted), "{all:?}");
    }

    #[test]
    fn whoever_only_reads_at_the_place_of_a_look_is_no_danger_to_an_update() {
        let script =
            "2 lock m\n2 get m\n2 unlock m\n2 lock m\n2 set m\n2 unlock m\n3 lock m\n3 get m\n3 unlock m";
        assert!(certainties(script, &[(1, 4, UPDATE)]).is_empty());
    }
}
