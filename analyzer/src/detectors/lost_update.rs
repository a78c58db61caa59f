//! An atomic is loaded and then stored to, and what another thread stored in between is lost.
//!
//! The memory layer tells of loads and later stores of one atomic by one thread ([`Update`]), with the last
//! write of another thread between the two if there was one, and else with the last one before the load
//! that *could as well* have come between. Read, remote write, write is one of the four triples that no
//! serial order explains (Lu et al., "AVIO", ASPLOS 2006; as transactions: Mathur and Viswanathan,
//! "AeroDrome", ASPLOS 2020). But a triple alone is no bug: the store may have nothing to do with the load.
//! So the source is asked how the value stored depends on the one loaded ([`Flow`]).
//!
//! `confirmed`: the write between was overwritten before anybody else read it, and from the value that it left
//! the same code would have stored something else. With `f` for what the code does to the value: loaded `l`,
//! between `b`, stored `f(l)`. Were the update atomic, there would be `f(b)`, or `b` where the code takes
//! another way. `f(b) != f(l)` is known where `f` tells all values apart (`x + e`) and `b != l`; where `f` is
//! a maximum and `b` is greater than what was stored; where `f` sets bits and `b` has one that is missing
//! now; and so on. Nothing is known of any other `f`.
//!
//! `predicted`: let `w` be the write by thread `u` before the load, and nothing but the atomic itself order the
//! two. What came before either in happens-before is then possible without both. From there `u` stands before
//! `w`, whose value is in its hand, and the other thread before its load. It loads, `u` stores `w`, it stores: `w`
//! is lost. Or it loads and stores, then `u` stores `w`: its own value is lost. That both get there, whatever is
//! loaded, needs code that goes *straight* from load to store, on both sides; that something is lost needs
//! the numbers above, with the one that was recorded for the other side's store.
//!
//! `potential`: there was a write between, and a dependence, but not this proof. What a person must judge.
//!
//! Silent are therefore compare-exchange loops and `fetch_…` (they are no loads and stores), flags (what is
//! overwritten is what is stored), single writers, what a lock, join or channel orders (no write can come
//! between), and stores that do not depend on the load (Peterson's and Dekker's flags, timestamps).
//!
//! Misses: code whose sources are not there, and what [`Flow`] does not follow.

use std::collections::BTreeMap;

use snag_trace::memory::AccessKind;

use crate::detectors::Detector;
use crate::detectors::evidence::Case;
use crate::detectors::evidence::calls::{calls, up_to_common};
use crate::finding::{Certainty, Finding, Place};
use crate::model::execution::{Execution, ThreadId};
use crate::model::flow::{Flow, Step, Test};
use crate::model::memory::{Access, Said, Update};
use crate::model::names::Names;

/// The rule.
pub struct LostUpdate;

const ID: &str = "lost_update";

impl Detector for LostUpdate {
    fn id(&self) -> &'static str {
        ID
    }

    fn summary(&self) -> &'static str {
        "a thread loads an atomic and stores a new value, and loses what another one stored in between"
    }

    fn detect(&self, execution: &Execution, names: &dyn Names) -> Vec<Finding> {
        let updates = Updates::of(execution, names);
        let mut best: BTreeMap<(&Place, &Place), Judged<'_>> = BTreeMap::new();
        for seen in &updates.all {
            if is_of_a_lock(&seen.from[0]) {
                continue;
            }
            let Some(judged) = updates.judge(seen) else { continue };
            let at = (&seen.from[0], &seen.to[0]);
            match best.get_mut(&at) {
                None => drop(best.insert(at, judged)),
                Some(known) => {
                    let count = known.count + 1;
                    if judged.rank() > known.rank() {
                        *known = judged;
                    }
                    known.count = count;
                }
            }
        }
        best.into_values().map(|judged| report(execution, names, &judged)).collect()
    }
}

/// Packages whose locks are recorded as locks: what they do with their own words is told by their events.
const LOCKS: [&str; 3] = ["lock_api", "parking_lot", "parking_lot_core"];

/// Whether the place lies in one of [`LOCKS`] that the user has as a dependency.
fn is_of_a_lock(place: &Place) -> bool {
    let package = place.package();
    package.and_then(|package| package.split(' ').next().map(|name| LOCKS.contains(&name))).unwrap_or(false)
}

/// A load and a store of which the source knows both.
struct Seen<'a> {
    update: &'a Update,
    /// Places of the calls that lead to the load, innermost first, and to the store.
    from: Vec<Place>,
    to: Vec<Place>,
    flow: Flow,
}

/// All of them.
struct Updates<'a> {
    all: Vec<Seen<'a>>,
    /// What stores at these places do to what was loaded before, straight on.
    steps: BTreeMap<Place, Step>,
    execution: &'a Execution,
    names: &'a dyn Names,
}

impl<'a> Updates<'a> {
    fn of(execution: &'a Execution, names: &'a dyn Names) -> Updates<'a> {
        let mut updates = Updates { all: Vec::new(), steps: BTreeMap::new(), execution, names };
        let mut flows: BTreeMap<(Vec<Place>, Vec<Place>), Flow> = BTreeMap::new();
        for remark in &execution.memory.remarks {
            let Said::Update(update) = &remark.said else { continue };
            let calls = |access: &Access| calls(&names.frames(remark.process, &access.stack));
            let both = calls(&update.load).zip(calls(&update.store));
            let Some((from, to)) = both.and_then(|(from, to)| up_to_common(&from, &to)) else { continue };
            let flow = *flows
                .entry((from.clone(), to.clone()))
                .or_insert_with_key(|(from, to)| names.flow(from, to));
            if let Some(step) = straight(flow) {
                updates.steps.insert(to[0].clone(), step);
            }
            updates.all.push(Seen { update, from, to, flow });
        }
        updates
    }

    /// Where a write of another thread is in the source.
    fn place(&self, access: &Access) -> Option<Place> {
        let process = self.execution.thread(ThreadId(access.thread)).process;
        calls(&self.names.frames(process, &access.stack))?.into_iter().next().map(|(_, place)| place)
    }

    fn judge<'s>(&self, seen: &'s Seen<'a>) -> Option<Judged<'s>> {
        let update = seen.update;
        let between = update.between.as_ref().and_then(|write| Some((write, judge_between(seen, write)?)));
        if let Some((other, verdict)) = between {
            return Some(Judged { seen, other, verdict, count: 1 });
        }
        let other = update.before.as_ref()?;
        let verdict = self.judge_before(seen, other)?;
        Some(Judged { seen, other, verdict, count: 1 })
    }

    /// What a write that could have come between means.
    fn judge_before(&self, seen: &Seen<'_>, write: &Access) -> Option<Verdict> {
        let step = straight(seen.flow)?;
        let numbers = Numbers::of(seen.update, write);
        let of_write = self.place(write).and_then(|place| self.steps.get(&place).copied());
        match (step, of_write) {
            (Step::Same | Step::Distinct, Some(Step::Distinct))
                if numbers.load == numbers.other && numbers.store != numbers.load =>
            {
                Some(Verdict::CanLose(Victim::Other))
            }
            (Step::Max | Step::Min | Step::SetBits | Step::ClearBits, Some(same)) if same == step => {
                let own = Numbers { store: numbers.other, other: numbers.store, ..numbers };
                own.shows_loss(step).then_some(Verdict::CanLose(Victim::Own))
            }
            (Step::Same | Step::Distinct | Step::Other, _) if computed(seen.flow) => {
                Some(Verdict::Doubtful(Doubt::Order))
            }
            _ => None,
        }
    }
}

/// What a write that came between means.
fn judge_between(seen: &Seen<'_>, write: &Access) -> Option<Verdict> {
    let numbers = Numbers::of(seen.update, write);
    let fresh = numbers.other != numbers.load && numbers.other != numbers.store;
    let lost = match seen.flow {
        Flow::None | Flow::Unknown => return None,
        flow if step_of(flow).is_some_and(|step| numbers.shows_none(step)) => return None,
        Flow::Guarded { again: true, .. } => false,
        Flow::Computed { step, always, overwrites: true } => {
            numbers.shows_loss(step) && (always || numbers.other != numbers.store)
        }
        flow => step_of(flow).is_some_and(|step| numbers.shows_loss(step)),
    };
    let doubt = match seen.flow {
        _ if lost => Doubt::Read,
        Flow::Computed { .. } => Doubt::Function,
        _ => Doubt::Guard,
    };
    if lost && seen.update.unread {
        return Some(Verdict::Lost);
    }
    (lost || fresh).then_some(Verdict::Doubtful(doubt))
}

const fn computed(flow: Flow) -> bool {
    matches!(flow, Flow::Computed { .. })
}

/// What is done to the value loaded.
const fn step_of(flow: Flow) -> Option<Step> {
    match flow {
        Flow::Computed { step, .. } => Some(step),
        Flow::Guarded { test: Test::Max, .. } => Some(Step::Max),
        Flow::Guarded { test: Test::Min, .. } => Some(Step::Min),
        _ => None,
    }
}

/// The same, if the code goes straight on to the store. Behind a test for a maximum it does so from any
/// value that is less.
const fn straight(flow: Flow) -> Option<Step> {
    match flow {
        Flow::Computed { always: true, overwrites: true, .. } | Flow::Guarded { again: false, .. } => {
            step_of(flow)
        }
        _ => None,
    }
}

/// What was loaded, what another thread wrote, and what was stored.
#[derive(Clone, Copy)]
struct Numbers {
    load: u64,
    other: u64,
    store: u64,
    bits: u32,
}

impl Numbers {
    fn of(update: &Update, other: &Access) -> Numbers {
        let bits = update.store.size.min(8) * 8;
        Numbers { load: update.load.value, other: other.value, store: update.store.value, bits }
    }

    /// Whether one number is greater, be it signed or not.
    fn exceeds(self, one: u64, other: u64) -> bool {
        let signed = |number: u64| (number << (64 - self.bits)).cast_signed();
        self.bits > 0 && one > other && signed(one) > signed(other)
    }

    /// Whether from the other thread's value something else would have been stored.
    fn shows_loss(self, step: Step) -> bool {
        match step {
            Step::Same | Step::Distinct => self.other != self.load,
            Step::Max => self.exceeds(self.other, self.store),
            Step::Min => self.exceeds(self.store, self.other),
            Step::SetBits => self.other & !self.store != 0,
            Step::ClearBits => self.store & !self.other != 0,
            Step::Other => false,
        }
    }

    /// Whether from the other thread's value the same would have been stored.
    fn shows_none(self, step: Step) -> bool {
        let Numbers { load, other, store, .. } = self;
        match step {
            Step::Same | Step::Distinct => other == load,
            Step::Max => other == store || self.exceeds(store, other),
            Step::Min => other == store || self.exceeds(other, store),
            Step::SetBits => other & !store == 0 && load & !other == 0,
            Step::ClearBits => store & !other == 0 && other & !load == 0,
            Step::Other => false,
        }
    }
}

/// Whose value is lost in a prediction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Victim {
    Other,
    Own,
}

/// Why something is `potential` only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Doubt {
    /// Only whether anything is stored depends on the load.
    Guard,
    /// The other thread's write is not known to be an update.
    Order,
    /// What the code would have stored is not known.
    Function,
    /// Somebody read what was lost.
    Read,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Doubtful(Doubt),
    CanLose(Victim),
    Lost,
}

/// An update with what is wrong with it.
struct Judged<'a> {
    seen: &'a Seen<'a>,
    other: &'a Access,
    verdict: Verdict,
    count: u64,
}

impl Judged<'_> {
    fn rank(&self) -> (Verdict, bool) {
        (self.verdict, self.seen.update.between.is_some())
    }
}

fn report(execution: &Execution, names: &dyn Names, judged: &Judged<'_>) -> Finding {
    let Judged { seen, other, verdict, count } = judged;
    let Update { load, store, block, .. } = seen.update;
    let (thread, by) = (ThreadId(store.thread), ThreadId(other.thread));
    let mut case = Case::new(execution, names, &[thread, by], &[]);
    let memory = case.memory(store, block).phrase;
    let (thread, by) = (case.thread(thread), case.thread(by));
    let is_lost = *verdict == Verdict::Lost;
    let value = |access: &Access| if is_lost { format!(" {}", access.value) } else { String::new() };
    case.at_access("loaded", load, format!("{thread} loads{} here", value(load)), &[]);
    let because = match seen.flow {
        Flow::Guarded { .. } => "because of what it had loaded",
        _ => "computed from what it had loaded",
    };
    let label = format!("{thread} stores{} here, {because}", value(store));
    case.at_access("stored", store, label, &[]);
    let does = if other.kind == AccessKind::AtomicUpdate { "update" } else { "store" };
    let label = match verdict {
        Verdict::Lost => format!(
            "{by} {does}s {} here in between, and nobody has read that when it is overwritten",
            other.value
        ),
        _ if seen.update.between.is_some() => format!("{by} {does}s here in between"),
        _ => format!("{by} can {does} here in between"),
    };
    case.at_access("between", other, label, &[]);
    if let Verdict::CanLose(victim) = verdict {
        add_witness(&mut case, judged, *victim, [&thread, &by]);
    }
    if let Verdict::Doubtful(doubt) = verdict {
        case.note(note(*doubt).to_owned());
    }
    let (certainty, message) = match verdict {
        Verdict::Lost => (
            Certainty::Confirmed,
            format!("{thread} overwrites in {memory} what {by} had stored since {thread} loaded it"),
        ),
        Verdict::CanLose(_) => (
            Certainty::Predicted,
            format!(
                "{thread} and {by} load {memory} and store what they compute from it: one can overwrite what the other has stored"
            ),
        ),
        Verdict::Doubtful(_) => (
            Certainty::Potential,
            format!(
                "what {thread} stores in {memory} depends on an earlier load, and {by} can store in between"
            ),
        ),
    };
    Finding { count: *count, ..case.finding(ID, certainty, message, help(seen.flow)) }
}

/// Who runs until where.
fn add_witness(case: &mut Case<'_>, judged: &Judged<'_>, victim: Victim, [thread, by]: [&String; 2]) {
    let Update { load, store, .. } = judged.seen.update;
    let other = judged.other;
    match victim {
        Victim::Other => {
            case.step_access(load, "loads".to_owned());
            case.step_access(other, "stores its new value".to_owned());
            case.step_access(store, format!("stores what it computed before that: what {by} stored is lost"));
        }
        Victim::Own => {
            case.step_access(other, "has loaded and is about to store here".to_owned());
            case.step_access(load, "loads".to_owned());
            case.step_access(store, "stores its new value".to_owned());
            case.step_access(
                other,
                format!("stores what it computed before that: what {thread} stored is lost"),
            );
        }
    }
}

const fn note(doubt: Doubt) -> &'static str {
    match doubt {
        Doubt::Guard => "only whether anything is stored depends on what was loaded: it may be meant so",
        Doubt::Order => "what the other thread stores may be meant to be overwritten",
        Doubt::Function => "whether another value would have led to another result is not known",
        Doubt::Read => "somebody read the other thread's value before it was overwritten",
    }
}

const fn help(flow: Flow) -> &'static str {
    match flow {
        Flow::Computed { step: Step::Max, .. } | Flow::Guarded { test: Test::Max, .. } => {
            "make it one operation: `fetch_max`"
        }
        Flow::Computed { step: Step::Min, .. } | Flow::Guarded { test: Test::Min, .. } => {
            "make it one operation: `fetch_min`"
        }
        Flow::Computed { step: Step::SetBits, .. } => "make it one operation: `fetch_or`",
        Flow::Computed { step: Step::ClearBits, .. } => "make it one operation: `fetch_and`",
        Flow::Computed { step: Step::Distinct, .. } => {
            "make it one operation, such as `fetch_add`, or use `fetch_update`, or hold one lock from load to store"
        }
        _ => "use `compare_exchange` or `fetch_update`, or hold one lock from load to store",
    }
}

#[cfg(test)]
mod tests {
    use super::LostUpdate;
    use crate::detectors::{find_with, join_repeats};
    use crate::finding::{Certainty, Finding};
    use crate::model::flow::{Flow, Step, Test};

    const STRAIGHT: Flow = computed(Step::Distinct, true);

    const fn computed(step: Step, always: bool) -> Flow {
        Flow::Computed { step, always, overwrites: true }
    }

    const fn guarded(test: Test, again: bool) -> Flow {
        Flow::Guarded { test, again, overwrites: true }
    }

    fn found(script: &str, flow: Flow) -> Vec<Finding> {
        find_with(&LostUpdate, script, &[(4, 5, flow)])
    }

    fn certainties(script: &str, flow: Flow) -> Vec<Certainty> {
        found(script, flow).iter().map(|finding| finding.certainty).collect()
    }

    /// Loaded, stored by another thread in between, stored.
    fn between(load: u64, other: u64, store: u64) -> String {
        format!(
            "3 update load-relaxed8@4={load} store-relaxed8@5={store} between 2 store-relaxed8@5={other} \
             unread static"
        )
    }

    /// The same, with the other store before the load.
    fn before(load: u64, other: u64, store: u64) -> String {
        between(load, other, store).replace("between", "before").replace(" unread", "")
    }

    #[test]
    fn an_increment_that_overwrites_another_is_confirmed_with_all_three_places() {
        let [finding] = &found(&between(0, 1, 1), STRAIGHT)[..] else { panic!("one finding") };
        assert_eq!(finding.certainty, Certainty::Confirmed);
        let places: Vec<_> =
            finding.locations.iter().map(|at| (at.role.as_str(), at.place.line, &*at.label)).collect();
        let lost = "`t2` stores 1 here in between, and nobody has read that when it is overwritten";
        assert_eq!(
            places,
            [
                ("loaded", 4, "`t3` loads 0 here"),
                ("stored", 5, "`t3` stores 1 here, computed from what it had loaded"),
                ("between", 5, lost),
            ]
        );
        assert!(finding.help.contains("fetch_add"));
    }

    #[test]
    fn what_somebody_read_before_it_was_overwritten_is_left_to_a_person() {
        let script = between(0, 1, 1).replace(" unread", "");
        assert_eq!(certainties(&script, STRAIGHT), [Certainty::Potential]);
    }

    #[test]
    fn the_numbers_must_show_that_something_is_lost() {
        use Certainty::{Confirmed, Potential};
        for (flow, load, other, store, wanted) in [
            (STRAIGHT, 5, 5, 6, None),
            (STRAIGHT, 5, 6, 6, Some(Confirmed)),
            (computed(Step::Distinct, false), 5, 6, 6, None),
            (computed(Step::Distinct, false), 5, 7, 6, Some(Confirmed)),
            (computed(Step::Max, true), 5, 9, 7, Some(Confirmed)),
            (computed(Step::Max, true), 5, 7, 7, None),
            (computed(Step::Max, true), 5, 6, 7, None),
            (computed(Step::Max, true), 5, u64::MAX, 7, Some(Potential)),
            (computed(Step::Min, true), 5, 1, 3, Some(Confirmed)),
            (computed(Step::SetBits, true), 1, 3, 5, Some(Confirmed)),
            (computed(Step::SetBits, true), 1, 5, 5, None),
            (computed(Step::SetBits, true), 1, 4, 5, Some(Potential)),
            (computed(Step::ClearBits, true), 7, 6, 5, Some(Confirmed)),
            (computed(Step::Other, true), 5, 6, 7, Some(Potential)),
            (computed(Step::Other, true), 5, 6, 6, None),
            (guarded(Test::Max, false), 5, 9, 7, Some(Confirmed)),
            (guarded(Test::Max, false), 5, 6, 7, None),
            (guarded(Test::Max, true), 5, 9, 7, Some(Potential)),
            (guarded(Test::Other, false), 0, 2, 1, Some(Potential)),
            (guarded(Test::Other, false), 0, 1, 1, None),
            (Flow::None, 0, 1, 2, None),
            (Flow::Unknown, 0, 1, 2, None),
        ] {
            let found = certainties(&between(load, other, store), flow);
            assert_eq!(found, Vec::from_iter(wanted), "{flow:?} {load} {other} {store}");
        }
    }

    #[test]
    fn an_update_that_could_have_come_between_is_predicted_with_its_witness() {
        let [finding] = &found(&before(1, 1, 2), STRAIGHT)[..] else { panic!("one finding") };
        assert_eq!(finding.certainty, Certainty::Predicted);
        let steps: Vec<_> = finding
            .witness
            .iter()
            .map(|step| (step.thread, step.place.as_ref().expect("known").line))
            .collect();
        assert_eq!(steps, [(0, 4), (1, 5), (0, 5)]);
    }

    #[test]
    fn a_maximum_that_could_have_been_overwritten_is_predicted_the_other_way_round() {
        for flow in [computed(Step::Max, true), guarded(Test::Max, false)] {
            let [finding] = &found(&before(5, 5, 9), flow)[..] else { panic!("one finding") };
            assert_eq!((finding.certainty, finding.witness.len()), (Certainty::Predicted, 4));
            assert!(found(&before(5, 5, 5), flow).is_empty(), "{flow:?}");
        }
        assert_eq!(certainties(&before(1, 1, 5), computed(Step::SetBits, true)), [Certainty::Predicted]);
        assert!(found(&before(5, 5, 5), computed(Step::SetBits, true)).is_empty());
    }

    #[test]
    fn only_straight_code_on_both_sides_is_predicted() {
        let potential = [Certainty::Potential];
        let elsewhere = before(1, 1, 2).replace("store-relaxed8@5=1", "store-relaxed8@9=1");
        assert_eq!(certainties(&elsewhere, STRAIGHT), potential);
        assert_eq!(certainties(&before(1, 0, 2), STRAIGHT), potential, "it loaded something else");
        assert_eq!(certainties(&before(1, 1, 2), computed(Step::Other, true)), potential);
        for flow in [
            computed(Step::Distinct, false),
            guarded(Test::Other, false),
            guarded(Test::Max, true),
            Flow::None,
            Flow::Unknown,
        ] {
            assert!(found(&before(1, 1, 2), flow).is_empty(), "{flow:?}");
        }
    }

    #[test]
    fn an_update_without_another_writer_is_none() {
        assert!(found("3 update load-relaxed8@4=7 store-relaxed8@5=8 static", STRAIGHT).is_empty());
    }

    #[test]
    fn atomics_of_the_standard_library_are_its_own_business() {
        let inside = between(0, 1, 1).replace("8@4", "8@1004,4").replace("8@5", "8@1005,5");
        assert!(found(&inside, STRAIGHT).is_empty());
    }

    #[test]
    fn the_best_of_several_is_told_and_all_are_counted() {
        let script = format!("{}\n{}\n{}", before(1, 1, 2), between(0, 1, 1), before(3, 3, 4));
        let [finding] = &join_repeats(found(&script, STRAIGHT))[..] else { panic!("one finding") };
        assert_eq!((finding.certainty, finding.count), (Certainty::Confirmed, 3));
    }

    #[test]
    fn the_words_of_a_dependency_s_locks_are_left_alone() {
        let at = |file: &str| {
            super::is_of_a_lock(&crate::finding::Place { file: file.to_owned(), line: 1, column: 1 })
        };
        assert!(at("~registry/parking_lot_core-0.9.11/src/word_lock.rs"));
        assert!(at("~registry/lock_api-0.4.13/src/remutex.rs"));
        assert!(!at("~registry/parking_lot_extras-1.0.0/src/lib.rs"));
        assert!(!at("parking_lot/src/lib.rs"));
    }
}
