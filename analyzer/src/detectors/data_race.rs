//! Two threads access the same bytes, at least one of them writes, and nothing orders the two.
//!
//! The memory layer decides that, by the happens-before of the C++20 and Rust memory model, at the moment
//! of the later access (vector clocks; Flanagan and Freund, "FastTrack", PLDI 2009). Here it is put into
//! words: what the memory is, which locks were held on either side, and which order is missing.
//!
//! Always `confirmed`: both accesses were made, and the recorded run had no order between them.
//!
//! Misses: what the memory layer forgot before the later access came ([`MemoryStats`]), and accesses of code
//! that was not compiled with it.
//!
//! [`MemoryStats`]: crate::finding::MemoryStats

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use snag_trace::memory::{AccessKind, Ordering};
use snag_trace::{Kind, Mode};

use crate::detectors::Detector;
use crate::detectors::evidence::memory::{Memory, does, ordering_word, verb};
use crate::detectors::evidence::{Case, held_after};
use crate::finding::{Certainty, Finding, Place};
use crate::model::execution::{Event, Execution, ObjectId, ThreadId};
use crate::model::memory::{Access, Conflict, Remark, Said, WeakRead};
use crate::model::names::Names;
use crate::model::wait_for::Hold;

/// The rule.
pub struct DataRace;

const ID: &str = "data_race";
/// Role of the places of both sides.
const ACCESS: &str = "access";

impl Detector for DataRace {
    fn id(&self) -> &'static str {
        ID
    }

    fn summary(&self) -> &'static str {
        "two threads access the same memory, one of them writes, and nothing orders the two"
    }

    fn detect(&self, execution: &Execution, names: &dyn Names) -> Vec<Finding> {
        let races = execution.memory.remarks.iter().filter_map(|remark| match &remark.said {
            Said::Race(conflict) => Some((remark, &**conflict)),
            _ => None,
        });
        let found: Vec<_> =
            races.map(|(remark, conflict)| report(execution, names, remark, conflict)).collect();
        best_of_each(found)
    }
}

/// One finding for each pair of places and each piece of memory, counted: the one that tells most. A read
/// and a write at one place (`*count += 1`) race with their like in several ways, of which a run shows
/// some first.
fn best_of_each(found: Vec<Found>) -> Vec<Finding> {
    let mut best: BTreeMap<_, Found> = BTreeMap::new();
    for next in found {
        let accesses = next.finding.locations.iter().filter(|location| location.role == ACCESS);
        let mut places: Vec<_> = accesses.map(|location| location.place.clone()).collect();
        places.sort();
        match best.entry((next.finding.objects.clone(), places)) {
            Entry::Vacant(entry) => {
                entry.insert(next);
            }
            Entry::Occupied(mut entry) => {
                let count = entry.get().finding.count + next.finding.count;
                if next.tells > entry.get().tells {
                    entry.insert(next);
                }
                entry.get_mut().finding.count = count;
            }
        }
    }
    best.into_values().map(|found| found.finding).collect()
}

/// A finding, and how much it tells.
struct Found {
    finding: Finding,
    /// Whether it says which orderings would suffice, and how much its sides change.
    tells: (bool, Reverse<[u8; 2]>),
}

/// One side of a race.
struct Side<'a> {
    access: &'a Access,
    thread: ThreadId,
    /// The locks held there, if that is known.
    held: Option<Vec<Hold>>,
}

impl<'a> Side<'a> {
    fn new(access: &'a Access, held: Option<Vec<Hold>>) -> Side<'a> {
        Side { access, thread: ThreadId(access.thread), held }
    }
}

/// What the later access's thread held then: it may have been told of when the thread had gone on.
fn held_now(execution: &Execution, remark: &Remark, access: &Access) -> Vec<Hold> {
    let until = if access.after == 0 { remark.seq } else { access.after };
    let last = execution.last_of(remark.thread, until);
    last.map_or(Vec::new(), |event| held_after(execution, event))
}

fn held_then(execution: &Execution, access: &Access, until: u64) -> Option<Vec<Hold>> {
    let thread = ThreadId(access.thread);
    if access.after != 0 {
        let event = execution.last_of(thread, access.after);
        return Some(event.map_or(Vec::new(), |event| held_after(execution, event)));
    }
    // It is not known when that was, but a thread that locks nothing holds nothing.
    let begin = |begin: u32| execution.events[begin as usize].seq;
    let locks = execution.sections().of_thread(thread).any(|section| begin(section.begin) < until);
    (!locks).then(Vec::new)
}

fn report(execution: &Execution, names: &dyn Names, remark: &Remark, conflict: &Conflict) -> Found {
    let Conflict { current, previous, block, weak } = conflict;
    let later = Side::new(current, Some(held_now(execution, remark, current)));
    let earlier = Side::new(previous, held_then(execution, previous, remark.seq));
    let locks: Vec<ObjectId> = [&earlier, &later]
        .into_iter()
        .flat_map(|side| side.held.iter().flatten())
        .map(|hold| ObjectId(hold.object))
        .collect();
    let unnamed = Case::new(execution, names, &[], &[]);
    let mut sides = [&earlier, &later];
    sides.sort_by_cached_key(|side| (rank(side.access.kind), unnamed.place_of(side.access), side.thread));
    let mut case = Case::new(execution, names, &sides.map(|side| side.thread), &locks);
    // What is freed is a whole block, and the other access says which part is meant.
    let part = if current.kind == AccessKind::Free { previous } else { current };
    let memory = case.memory(part, block);
    for side in sides {
        add_side(&mut case, side);
    }
    if let Some(what) = &memory.what {
        let it = memory.name.as_ref().map_or("the memory".to_owned(), |name| format!("`{name}`"));
        case.note(format!("{it} is {what}"));
    }
    add_packages(&mut case);
    add_volatile(&mut case, &earlier, &later);
    add_locks(&mut case, &earlier, &later);
    match weak {
        Some(weak) => add_weak(&mut case, weak),
        None => add_missing_order(&mut case, execution, remark, &earlier, &later),
    }
    let message = message(&case, &memory, sides, weak.is_some());
    Found {
        finding: case.finding(ID, Certainty::Confirmed, message, &help(conflict)),
        tells: (weak.is_some(), Reverse(sides.map(|side| rank(side.access.kind)))),
    }
}

/// Sides are told in an order that does not depend on who came first: what changes most comes first.
const fn rank(kind: AccessKind) -> u8 {
    match kind {
        AccessKind::Free => 0,
        AccessKind::Write => 1,
        AccessKind::VolatileWrite => 2,
        AccessKind::AtomicUpdate => 3,
        AccessKind::AtomicStore => 4,
        AccessKind::Read => 5,
        AccessKind::VolatileRead => 6,
        AccessKind::AtomicLoad => 7,
    }
}

fn message(case: &Case<'_>, memory: &Memory, sides: [&Side<'_>; 2], is_weak: bool) -> String {
    let [one, other] = sides.map(|side| (case.thread(side.thread), verb(side.access.kind)));
    let also = if one.1 == other.1 { " too" } else { "" };
    let why = if is_weak {
        "the atomics between the two are too weak to order them"
    } else {
        "nothing orders the two"
    };
    format!("{} {} {} and {} {} it{also}, and {why}", one.0, one.1, memory.phrase, other.0, other.1)
}

fn add_side(case: &mut Case<'_>, side: &Side<'_>) {
    let thread = case.thread(side.thread);
    let held = side.held.as_deref().unwrap_or(&[]);
    let label = format!("{thread} {} here", does(side.access));
    if !case.at_access(ACCESS, side.access, label, held) {
        case.note(format!("{thread} {} at a place that is no longer known", does(side.access)));
    }
}

fn objects(case: &Case<'_>, held: &[Hold]) -> String {
    Case::list(&held.iter().map(|hold| case.object(ObjectId(hold.object))).collect::<Vec<_>>())
}

/// Says whose code it is if it is not the user's.
fn add_packages(case: &mut Case<'_>) {
    let mut packages: Vec<_> = case.packages().map(|package| format!("`{package}`")).collect();
    packages.sort();
    packages.dedup();
    if !packages.is_empty() {
        case.note(format!("the memory is accessed in the code of the dependency {}", Case::list(&packages)));
    }
}

/// Says what an access that is volatile on purpose does not do.
fn add_volatile(case: &mut Case<'_>, earlier: &Side<'_>, later: &Side<'_>) {
    let is_volatile =
        |side: &Side<'_>| matches!(side.access.kind, AccessKind::VolatileRead | AccessKind::VolatileWrite);
    if is_volatile(earlier) || is_volatile(later) {
        case.note(
            "a volatile access is one that the compiler leaves in place: it is not atomic and orders nothing \
             between threads"
                .to_owned(),
        );
    }
}

fn add_locks(case: &mut Case<'_>, earlier: &Side<'_>, later: &Side<'_>) {
    let (then, now) = (case.thread(earlier.thread), case.thread(later.thread));
    let Some(held) = &earlier.held else {
        case.note(format!("which locks {then} held is no longer known"));
        return;
    };
    let held_now = later.held.as_deref().unwrap_or(&[]);
    let common: Vec<Hold> = held
        .iter()
        .filter(|hold| held_now.iter().any(|other| other.object == hold.object))
        .copied()
        .collect();
    let note = match (&held[..], held_now) {
        _ if !common.is_empty() => format!(
            "both hold {}, but not so that one keeps the other out: readers share a lock",
            objects(case, &common)
        ),
        ([], []) => "neither thread holds a lock".to_owned(),
        ([], now_held) => format!("{now} holds {}, and {then} holds no lock", objects(case, now_held)),
        (then_held, []) => format!("{then} holds {}, and {now} holds no lock", objects(case, then_held)),
        (then_held, now_held) => format!(
            "they have no lock in common: {then} holds {} and {now} holds {}",
            objects(case, then_held),
            objects(case, now_held)
        ),
    };
    case.note(note);
}

/// What the earlier thread did after its access by which the later one could have been ordered, and was not.
fn add_missing_order(
    case: &mut Case<'_>,
    execution: &Execution,
    remark: &Remark,
    earlier: &Side<'_>,
    later: &Side<'_>,
) {
    let (then, now) = (case.thread(earlier.thread), case.thread(later.thread));
    let own = &execution.thread(earlier.thread).events;
    let done = own.iter().map(|&event| &execution.events[event as usize]);
    let between: Vec<&Event> =
        done.filter(|event| event.seq > earlier.access.after && event.seq < remark.seq).collect();
    let offer = between.iter().rev().find_map(|event| Some((*event, offered(case, event)?)));
    let note = match offer {
        // It is not known whether that came after the access.
        Some(_) if earlier.access.after == 0 => return,
        Some((event, (did, missed))) => {
            let place = case.place(event.site).map(|place| at(&place));
            let place = place.or_else(|| locked(case, execution, event)).unwrap_or_default();
            format!("after its access {then} last {did}{place}, but {now} {missed} before its own")
        }
        None if between.iter().any(|event| event.kind == Kind::ThreadEnd) => {
            format!("{then} has ended since, but {now} does not join it before its access")
        }
        None => format!(
            "between the two accesses {then} releases no lock, sends nothing and does not end, and {now} reads \
             with `Acquire` no atomic that it wrote with `Release` since"
        ),
    };
    case.note(note);
}

fn at(place: &Place) -> String {
    format!(" at {}:{}:{}", place.file, place.line, place.column)
}

/// Where the lock was taken that this event releases: of the release itself no place is known.
fn locked(case: &Case<'_>, execution: &Execution, release: &Event) -> Option<String> {
    let end = execution.index_of(release.seq)?;
    let mut sections = execution.sections().of_thread(release.thread);
    let section = sections.find(|section| section.end == Some(end))?;
    let place = case.place(execution.events[section.begin as usize].site)?;
    Some(format!(" (locked{})", at(&place)))
}

/// What an event offered to others, and what the other thread did not do to take it.
fn offered(case: &Case<'_>, event: &Event) -> Option<(String, String)> {
    let object = || case.object(event.object);
    Some(match event.kind {
        Kind::Release if event.mode == Mode::Permit => {
            (format!("gave back a permit of {}", object()), "took none after that".to_owned())
        }
        Kind::Release => (format!("released {}", object()), "did not lock it after that".to_owned()),
        Kind::Send => (format!("sent into {}", object()), "had not received that".to_owned()),
        Kind::OnceEnd => (format!("initialised {}", object()), "did not look at it after that".to_owned()),
        Kind::BarrierArrive => (format!("arrived at {}", object()), "had not passed it".to_owned()),
        Kind::Unpark => {
            let whom = case.thread(ThreadId(u32::try_from(event.arg).unwrap_or(0)));
            (format!("unparked {whom}"), "was not woken by that".to_owned())
        }
        _ => return None,
    })
}

const fn releases(ordering: Ordering) -> bool {
    matches!(ordering, Ordering::Release | Ordering::AcqRel | Ordering::SeqCst)
}

const fn acquires(ordering: Ordering) -> bool {
    matches!(ordering, Ordering::Acquire | Ordering::AcqRel | Ordering::SeqCst)
}

/// Which store and which load would have ordered the two.
fn add_weak(case: &mut Case<'_>, weak: &WeakRead) {
    let WeakRead { store, load } = weak;
    let (writer, reader) = (case.thread(ThreadId(store.thread)), case.thread(ThreadId(load.thread)));
    let orderings = [store, load].map(|access| ordering_word(access.ordering).unwrap_or("no ordering"));
    let publishes = if releases(store.ordering) { "" } else { ", which publishes nothing else" };
    let label = format!("{writer} then {} here with `{}`{publishes}", verb(store.kind), orderings[0]);
    case.at_access("weak_store", store, label, &[]);
    let takes = if acquires(load.ordering) { "" } else { ", which takes over nothing else" };
    let label = format!("{reader} reads that value here with `{}`{takes}", orderings[1]);
    case.at_access("weak_load", load, label, &[]);
    case.note(format!(
        "{reader} read with `{}` what {writer} wrote with `{}` after its own access: the value arrived, \
         but the two orderings do not make what came before it visible",
        orderings[1], orderings[0]
    ));
}

fn help(conflict: &Conflict) -> String {
    if let Some(WeakRead { store, load }) = &conflict.weak {
        let wanted = |access: &Access, plain: &'static str| match access.kind {
            AccessKind::AtomicUpdate => "AcqRel",
            _ => plain,
        };
        let (release, acquire) = (wanted(store, "Release"), wanted(load, "Acquire"));
        return match (releases(store.ordering), acquires(load.ordering)) {
            (false, true) => format!("make the write of the atomic `{release}`; the read of it suffices"),
            (true, false) => format!("make the read of the atomic `{acquire}`; the write of it suffices"),
            _ => format!("make the write of the atomic `{release}` and the read of it `{acquire}`"),
        };
    }
    let kinds = [conflict.current.kind, conflict.previous.kind];
    let is_atomic = |kind: AccessKind| {
        matches!(kind, AccessKind::AtomicLoad | AccessKind::AtomicStore | AccessKind::AtomicUpdate)
    };
    if kinds.contains(&AccessKind::Free) {
        "make sure that no other thread can still reach the memory when it is freed: share ownership with `Arc`, \
         or join the threads that use it first"
            .to_owned()
    } else if kinds.into_iter().any(is_atomic) {
        "make both accesses atomic, or keep the plain one apart by a lock, a join or an atomic with \
         `Release` and `Acquire`"
            .to_owned()
    } else {
        "hold one lock at both accesses, or make the data atomic, or hand it over by a channel or a join"
            .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::DataRace;
    use crate::detectors::{find, join_repeats};
    use crate::finding::Finding;

    fn one(script: &str) -> Finding {
        let [finding] = &find(&DataRace, script)[..] else { panic!("one finding") };
        finding.clone()
    }

    fn places(finding: &Finding) -> Vec<(&str, u32)> {
        finding.locations.iter().map(|at| (at.role.as_str(), at.place.line)).collect()
    }

    fn said(finding: &Finding) -> String {
        finding.notes.join("\n")
    }

    #[test]
    fn both_sides_are_shown_and_the_order_of_the_run_does_not_matter() {
        let finding = one("3 race read4@9 2 write8@4 static");
        assert_eq!(places(&finding), [("access", 4), ("access", 9)]);
        assert_eq!(finding.locations[0].label, "`t2` writes 8 bytes here");
        assert_eq!(finding.locations[1].label, "`t3` reads 4 bytes here");
        assert_eq!(finding.message, "`t2` writes a static and `t3` reads it, and nothing orders the two");
        let turned = one("2 race write8@4 3 read4@9 static");
        assert_eq!(places(&turned), places(&finding));
        assert_eq!(turned.message, finding.message);
    }

    #[test]
    fn the_users_innermost_frame_comes_first_and_the_whole_stack_is_kept() {
        let finding = one("3 race write1@1001,9,12 2 write1@1001,2002,4 heap+16/64:1@7");
        assert_eq!(places(&finding), [("access", 4), ("access", 9)]);
        assert!(finding.locations[1].label.ends_with("here, in `f1001`"), "{finding:?}");
        assert_eq!(finding.locations[1].stack.len(), 3);
        assert_eq!(finding.locations[0].package.as_deref(), Some("dep 1.0.0"));
        assert!(said(&finding).contains("dependency `dep 1.0.0`"));
        assert_eq!(finding.objects[0].born.as_ref().map(|place| place.line), Some(7));
        assert!(
            said(&finding).contains("1 byte at offset 16 of a heap block of 64 bytes that `main` allocated")
        );
    }

    #[test]
    fn a_volatile_access_is_said_to_order_nothing() {
        assert!(said(&one("3 race volatile4@9 2 write8@4 static")).contains("volatile"));
        assert!(!said(&one("3 race read4@9 2 write8@4 static")).contains("volatile"));
    }

    #[test]
    fn a_place_that_was_forgotten_is_said_to_be() {
        let finding = one("2 lock m\n2 unlock m\n3 race write8@9 2 write8 static");
        assert_eq!(places(&finding), [("access", 9)]);
        assert!(said(&finding).contains("`t2` writes 8 bytes at a place that is no longer known"));
        assert!(said(&finding).contains("which locks `t2` held is no longer known"));
        let without = one("3 race write8@9 2 write8 static\n2 lock m");
        assert!(said(&without).contains("neither thread holds a lock"));
        assert!(said(&without).contains("releases no lock, sends nothing and does not end"));
        assert!(!said(&finding).contains("released"), "{}", said(&finding));
    }

    #[test]
    fn locks_on_each_side_are_those_held_at_the_access() {
        let script = "2 lock m1\n2 lock m2\n2 unlock m2\n2 unlock m1\n3 lock m2\n\
                      3 race write8@9 2 write8@4>20 static\n3 unlock m2";
        let finding = one(script);
        let held: Vec<Vec<&str>> =
            finding.locations.iter().map(|at| at.held.iter().map(|held| &*held.name).collect()).collect();
        assert_eq!(held, [vec!["mutex 1", "mutex 2"], vec!["mutex 2"]]);
        let apart = one(&script.replace(">20", ">10"));
        assert!(said(&apart).contains("no lock in common: `t2` holds `mutex 1` and `t3` holds `mutex 2`"));
        assert!(said(&apart).contains(
            "after its access `t2` last released `mutex 1` at t.rs:4:1, but `t3` did not lock it after that before its own"
        ));
        let only = one(&script.replace(">20", ">40"));
        assert!(said(&only).contains("`t3` holds `mutex 2`, and `t2` holds no lock"));
    }

    #[test]
    fn a_race_that_is_told_later_was_with_the_locks_of_its_time() {
        let finding = one("2 lock m1\n3 lock m2\n3 unlock m2\n3 race write8@9>20 2 write8@4>10 static");
        assert!(
            said(&finding).contains("`t2` holds `mutex 1` and `t3` holds `mutex 2`"),
            "{}",
            said(&finding)
        );
        let finding = one("2 lock m1\n3 lock m2\n3 unlock m2\n3 race write8@9>30 2 write8@4>10 static");
        assert!(
            said(&finding).contains("`t2` holds `mutex 1`, and `t3` holds no lock"),
            "{}",
            said(&finding)
        );
    }

    #[test]
    fn readers_of_one_lock_do_not_keep_each_other_out() {
        let finding = one("2 read rw\n3 read rw\n3 race write8@9 2 write8@4>10 static\n");
        assert!(said(&finding).contains("both hold `rwlock 1`"));
        assert!(said(&finding).contains("releases no lock, sends nothing and does not end"));
    }

    #[test]
    fn what_could_have_ordered_the_two_is_named() {
        for (did, words) in [
            (
                "send ch 1",
                "last sent into `channel 1` at t.rs:2:1, but `t3` had not received that before its own",
            ),
            ("done once", "last initialised `once 1` at"),
            ("arrive bar 0", "last arrived at `barrier 1`"),
            ("unpark 3", "last unparked `t3`"),
            ("end", "`t2` has ended since, but `t3` does not join it"),
        ] {
            let finding = one(&format!("2 start\n2 {did}\n3 race write8@9 2 write8@4>10 static\n"));
            assert!(said(&finding).contains(words), "{words}: {}", said(&finding));
            let before = one(&format!("2 start\n2 {did}\n3 race write8@9 2 write8@4>20 static\n"));
            assert!(said(&before).contains("releases no lock"), "{}", said(&before));
        }
    }

    #[test]
    fn orderings_that_are_too_weak_are_shown_with_those_that_suffice() {
        let weak = |store: &str, load: &str| {
            one(&format!("3 race read8@12 2 write8@4 static weak {store}1@5 {load}1@11"))
        };
        let finding = weak("store-relaxed", "load-relaxed");
        assert_eq!(places(&finding), [("access", 4), ("access", 12), ("weak_store", 5), ("weak_load", 11)]);
        assert!(finding.message.ends_with("the atomics between the two are too weak to order them"));
        assert_eq!(finding.help, "make the write of the atomic `Release` and the read of it `Acquire`");
        let helped = |store, load| weak(store, load).help;
        assert_eq!(
            helped("store-release", "load-relaxed"),
            "make the read of the atomic `Acquire`; the write of it suffices"
        );
        assert_eq!(
            helped("rmw-relaxed", "load-acquire"),
            "make the write of the atomic `AcqRel`; the read of it suffices"
        );
    }

    #[test]
    fn a_free_and_an_atomic_get_help_of_their_own() {
        let freed = one("3 race read8@12 2 free64@4 freed+0/64:1@5");
        assert!(freed.message.starts_with("`t2` frees a heap block made at t.rs:5 and `t3` reads it"));
        assert!(freed.help.contains("`Arc`"));
        let mixed = one("3 race load-acquire8@12 2 write8@4 static");
        assert!(mixed.help.starts_with("make both accesses atomic"));
        assert_eq!(mixed.locations[1].label, "`t3` loads 8 bytes atomically (`Acquire`) here");
        let access = mixed.locations[1].access.as_ref().expect("it is one");
        assert_eq!(
            (&*access.kind, access.size, access.ordering.as_deref()),
            ("atomic load", 8, Some("Acquire"))
        );
    }

    #[test]
    fn the_same_race_again_is_counted() {
        let script = "3 race write8@9 2 write8@4 static\n4 race write8@4 3 write8@9 static\n\
                      4 race write8@4 3 write8@10 static";
        let joined = join_repeats(find(&DataRace, script));
        let counts: Vec<_> = joined.iter().map(|finding| (places(finding)[1].1, finding.count)).collect();
        assert_eq!(counts, [(9, 2), (10, 1)]);
    }

    #[test]
    fn of_several_ways_to_race_at_two_places_the_one_that_tells_most_is_shown() {
        let ways = ["3 race read8@9 2 write8@9 static", "3 race write8@9 2 write8@9 static"];
        let weak = "3 race read8@9 2 write8@9 static weak store-relaxed1@10 load-relaxed1@11";
        for script in [[ways[0], ways[1]].join("\n"), [ways[1], ways[0]].join("\n")] {
            let finding = one(&script);
            assert_eq!((finding.count, finding.message.contains("writes it too")), (2, true));
            let finding = one(&format!("{script}\n{weak}"));
            assert_eq!((finding.count, finding.message.contains("too weak")), (3, true));
        }
    }

    #[test]
    fn pairs_that_something_orders_are_no_finding() {
        assert!(find(&DataRace, "3 conflict write8@9 2 write8@4 static").is_empty());
    }
}
