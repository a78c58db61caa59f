//! What the threads of one execution did, step by step, in the order in which it happened.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use snag_trace::control::{CALLERS, Step, What};

use crate::explore::server::Recorded;
use crate::finding::Place;

/// One step that matters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Number of the step among all, from 1.
    pub step: usize,
    /// The thread, as an index into [`Interleaving::threads`].
    pub thread: usize,
    /// What it does, a phrase.
    pub action: String,
    /// Where, if that is known.
    pub place: Option<Place>,
    /// Another thread ran before: `switch`, or `preempted` if that one could have gone on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub switch: Option<&'static str>,
}

/// The steps of an execution that matter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Interleaving {
    /// The threads' names, in order of birth.
    pub threads: Vec<String>,
    /// The steps, in order.
    pub rows: Vec<Row>,
    /// How many steps are not shown.
    pub hidden: usize,
}

/// Where names and places come from.
pub trait Words {
    /// The name of thread number `task`, from 0.
    fn thread(&self, task: usize) -> String;
    /// What the object at this address is called.
    fn object(&self, address: u64) -> Option<String>;
    /// The place of the calls that return to these addresses of the executable: the first that is not the
    /// standard library's, if there is one.
    fn code(&self, addresses: &[u64]) -> Option<Place>;
    /// A path as reports have it.
    fn shorten(&self, file: &str) -> String;
    /// What stands there in the source.
    fn text(&self, place: &Place) -> Option<String>;
}

impl Interleaving {
    /// The steps of a recorded execution that matter: those in code that is not the standard library's,
    /// and where threads wait, go on, and end.
    #[must_use]
    pub fn of(recorded: &Recorded, words: &dyn Words) -> Interleaving {
        let tasks = recorded.steps.iter().map(|step| usize::from(step.task) + 1).max().unwrap_or(0);
        let mut places = Places { recorded, words, known: BTreeMap::new() };
        let (mut rows, mut last) = (Vec::<Row>::new(), None);
        let ends = final_steps(&recorded.steps);
        for (number, step) in recorded.steps.iter().enumerate() {
            let what = What::from_number(step.what.into()).unwrap_or(What::Other);
            let place = places.of(step);
            let is_wait = matches!(what, What::Blocks | What::Resumes | What::TimesOut | What::Ends);
            let is_own = place.as_ref().is_some_and(|place| !place.is_library());
            if !is_own
                && !(is_wait
                    && (what == What::Ends || rows.iter().any(|row| row.thread == usize::from(step.task))))
            {
                continue;
            }
            let thread = usize::from(step.task);
            let again = rows.last().is_some_and(|row| row.thread == thread && row.action == YIELDS);
            if what == What::Yield && again {
                continue;
            }
            let switch = last.filter(|&last| last != thread).map(|last| {
                let is_over = ends.contains(&(last, number)) || stopped(&recorded.steps[..number], last);
                if is_over { "switch" } else { "preempted" }
            });
            let action = phrase(step, what, place.as_ref(), words);
            let place = place.filter(|place| !place.is_library());
            rows.push(Row { step: number + 1, thread, action, place, switch });
            last = Some(thread);
        }
        let hidden = recorded.steps.len() - rows.len();
        Interleaving { threads: (0..tasks).map(|task| words.thread(task)).collect(), rows, hidden }
    }
}

/// Threads and the numbers of steps after their last one.
fn final_steps(steps: &[Step]) -> BTreeSet<(usize, usize)> {
    let mut last = BTreeMap::new();
    for (number, step) in steps.iter().enumerate() {
        last.insert(usize::from(step.task), number + 1);
    }
    last.into_iter().collect()
}

/// Whether the last thing that this thread did was to stop.
fn stopped(steps: &[Step], task: usize) -> bool {
    let last = steps.iter().rev().find(|step| usize::from(step.task) == task);
    last.is_some_and(|last| [What::Blocks as u8, What::Ends as u8].contains(&last.what))
}

/// Places by what steps say of them.
struct Places<'a> {
    recorded: &'a Recorded,
    words: &'a dyn Words,
    known: BTreeMap<(u64, [u64; CALLERS]), Option<Place>>,
}

impl Places<'_> {
    fn of(&mut self, step: &Step) -> Option<Place> {
        let place = step.place;
        if place == 0 {
            return None;
        }
        let Places { recorded, words, known } = self;
        let found = known.entry((place, step.callers)).or_insert_with(|| {
            if place & 1 == 1 {
                let all = [place >> 1].into_iter().chain(step.callers);
                let addresses: Vec<_> =
                    all.filter_map(|address| address.checked_sub(recorded.load_base)).collect();
                return words.code(&addresses);
            }
            let (file, line, column) = recorded.places.get(&place)?;
            Some(Place { file: words.shorten(file), line: *line, column: *column })
        });
        found.clone()
    }
}

/// Who spins does this again and again: once is told.
const YIELDS: &str = "lets others run";

/// Which store was read, or before which one was written, if that was not the newest.
fn older(stores: u32, how: &str) -> String {
    let plural = if stores == 1 { "" } else { "s" };
    match stores {
        0 => String::new(),
        _ if how == "old" => format!(", {stores} store{plural} old"),
        _ => format!(", before {stores} newer store{plural}"),
    }
}

/// What a step does, in words.
fn phrase(step: &Step, what: What, place: Option<&Place>, words: &dyn Words) -> String {
    let object = || {
        let known = words.object(step.object).map(|name| format!("`{name}`"));
        known.or_else(|| place.and_then(|place| words.text(place))).unwrap_or_else(|| "something".to_owned())
    };
    let value = |bit: u8, value: u64| if step.known & bit == 0 { "?".to_owned() } else { value.to_string() };
    match what {
        What::Lock => format!("locks {}", object()),
        What::TryLock => format!("tries to lock {}", object()),
        What::Unlock => format!("unlocks {}", object()),
        What::ReadLock => format!("read-locks {}", object()),
        What::WriteLock => format!("write-locks {}", object()),
        What::Wait => format!("waits for {}", object()),
        What::Notify => format!("notifies {}", object()),
        What::Channel => format!("uses {}", object()),
        What::Barrier => format!("arrives at {}", object()),
        What::Once => format!("enters {}", object()),
        What::Park => "parks".to_owned(),
        What::Unpark => "unparks a thread".to_owned(),
        What::Spawn => format!("begins `{}`", words.thread(step.object as usize)),
        What::Yield => YIELDS.to_owned(),
        What::Load => format!("reads {} from {}{}", value(1, step.read), object(), older(step.older, "old")),
        What::Store => {
            format!("writes {} to {}{}", value(2, step.written), object(), older(step.older, "before"))
        }
        What::Update if step.known == 1 => {
            format!("finds {} in {}, no change", value(1, step.read), object())
        }
        What::Update => {
            format!("changes {} to {} in {}", value(1, step.read), value(2, step.written), object())
        }
        What::Blocks => "must wait".to_owned(),
        What::Resumes => "goes on".to_owned(),
        What::TimesOut => "goes on: its time is over".to_owned(),
        What::Ends => "ends".to_owned(),
        What::Fence => "makes a fence".to_owned(),
        What::Other => format!("does something with {}", object()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::server::Executed;
    use snag_trace::control::Ending;

    struct Plain;

    impl Words for Plain {
        fn thread(&self, task: usize) -> String {
            format!("t{task}")
        }
        fn object(&self, address: u64) -> Option<String> {
            (address == 8).then(|| "COUNT".to_owned())
        }
        fn code(&self, addresses: &[u64]) -> Option<Place> {
            let address = addresses[0];
            let file = if address == 50 { "~rust/x.rs" } else { "src/main.rs" };
            Some(Place { file: file.to_owned(), line: address as u32, column: 1 })
        }
        fn shorten(&self, file: &str) -> String {
            file.to_owned()
        }
        fn text(&self, _: &Place) -> Option<String> {
            None
        }
    }

    fn recorded(steps: Vec<Step>) -> Recorded {
        let executed = Executed {
            number: 0,
            ending: Ending::Passed,
            status: 0,
            fingerprint: 0,
            tasks: 2,
            left: 0,
            steps: 0,
            choices: 0,
            preemptions: 0,
            message: String::new(),
            diverged_at: 0,
            redundant: 0,
            bounded: false,
        };
        Recorded { executed, process: 1, log: vec![], steps, places: BTreeMap::new(), load_base: 1000 }
    }

    #[test]
    fn steps_are_told_with_values_and_switches() {
        let step = |task, what: What, at: u64| Step {
            task,
            what: what as u8,
            object: 8,
            place: (1000 + at) << 1 | 1,
            known: 3,
            read: 4,
            written: 5,
            ..Step::default()
        };
        let steps = vec![
            step(0, What::Load, 10),
            step(1, What::Update, 20),
            step(1, What::Load, 50),
            step(1, What::Blocks, 20),
            step(0, What::Store, 11),
        ];
        let told = Interleaving::of(&recorded(steps), &Plain);
        let rows: Vec<_> = told.rows.iter().map(|row| (row.thread, &*row.action, row.switch)).collect();
        assert_eq!(
            rows,
            [
                (0, "reads 4 from `COUNT`", None),
                (1, "changes 4 to 5 in `COUNT`", Some("preempted")),
                (1, "must wait", None),
                (0, "writes 5 to `COUNT`", Some("switch")),
            ]
        );
        assert_eq!((told.hidden, told.threads.len()), (1, 2));
    }
}
