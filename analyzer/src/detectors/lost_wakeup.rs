//! A notify that came before the wait that it was meant for.
//!
//! * `confirmed`: a thread of a process that could not go on waits on a condvar whose last word came
//!   before the wait, and it had not looked since ([`crate::model::standstill`]).
//! * `predicted`: the wait did end in time, but nothing made it. Let `w` be an untimed wait, ended by
//!   notify `n`, after which nobody notifies this condvar any more. If `n` would wake nobody else, and
//!   no thread took the wait's lock between `w` and `n`, then the waiter can stand before `w`, holding
//!   the lock, while all others do exactly what they did, `n` included: nothing of it needed that the
//!   wait had begun. Then it waits, and nobody ends that wait. Every other event keeps its place, so
//!   that it does not matter what is not recorded (atomics, memory).
//!
//! Misses: notifies that another thread's later notify made good, timed waits, and waits without a
//! check in runs that went well.

use snag_trace::{Flags, Kind};

use crate::detectors::Detector;
use crate::detectors::evidence::{Case, held_before};
use crate::finding::{Certainty, Finding};
use crate::model::execution::{Event, Execution, ObjectId, ThreadId};
use crate::model::happens_before::notify_of;
use crate::model::names::Names;
use crate::model::standstill::{Cause, LostWakeup as Lost, standstills};

/// The rule.
pub struct LostWakeup;

const ID: &str = "lost_wakeup";
const HELP: &str = "change the state under the condvar's lock before notifying, and wait with `wait_while` or in a \
                    loop that checks the state under the same lock";

impl Detector for LostWakeup {
    fn id(&self) -> &'static str {
        ID
    }

    fn summary(&self) -> &'static str {
        "a notify comes, or can come, before the wait that it is meant for"
    }

    fn detect(&self, execution: &Execution, names: &dyn Names) -> Vec<Finding> {
        let mut findings = Vec::new();
        for standstill in standstills(execution) {
            if let Cause::LostWakeups(lost) = standstill.cause {
                findings
                    .extend(lost.iter().map(|lost| report(execution, names, *lost, Certainty::Confirmed)));
            }
        }
        findings.extend(
            could_be_lost(execution).iter().map(|lost| report(execution, names, *lost, Certainty::Predicted)),
        );
        findings
    }
}

/// Waits that ended only because they happened to begin in time.
fn could_be_lost(execution: &Execution) -> Vec<Lost> {
    let mut last_notify = std::collections::BTreeMap::new();
    let mut found = Vec::new();
    for (index, event) in (0_u32..).zip(&execution.events) {
        if is_notify(event) {
            last_notify.insert(event.object, index);
        }
    }
    for event in &execution.events {
        if event.kind != Kind::WaitEnd || event.flags.has(Flags::TIMED_OUT) || event.flags.has(Flags::TIMED) {
            continue;
        }
        let Some(notify) = notify_of(execution, event) else { continue };
        if last_notify.get(&event.object) != Some(&notify) {
            continue;
        }
        let end = execution.index_of(event.seq).expect("an event of this execution");
        let own = &execution.thread(event.thread).events;
        let before = &own[..own.partition_point(|&other| other < end)];
        let begins = |&&other: &&u32| {
            execution.events[other as usize].kind == Kind::WaitBegin
                && execution.events[other as usize].object == event.object
        };
        let Some(&wait) = before.iter().rfind(begins) else { continue };
        if nothing_made_it_begin(execution, wait, notify) {
            found.push(Lost { waiter: event.thread, wait, notify });
        }
    }
    found
}

fn is_notify(event: &Event) -> bool {
    matches!(event.kind, Kind::NotifyOne | Kind::NotifyAll)
}

/// Whether everything between the wait's begin and its notify could have happened before it began.
fn nothing_made_it_begin(execution: &Execution, wait: u32, notify: u32) -> bool {
    let begin = &execution.events[wait as usize];
    let lock = ObjectId(u32::try_from(begin.arg).unwrap_or(0));
    let last = &execution.events[notify as usize];
    let wakes_others = last.kind == Kind::NotifyOne && last.arg != 1;
    if begin.flags.has(Flags::TIMED) || wakes_others || lock.is_none() || wait >= notify {
        return false;
    }
    // The lock itself, and everything else that the waiter holds, stays unavailable meanwhile.
    let held: Vec<ObjectId> = held_before(execution, wait).iter().map(|hold| ObjectId(hold.object)).collect();
    let between = &execution.events[wait as usize + 1..notify as usize];
    held.contains(&lock)
        && last.thread != begin.thread
        && !between.iter().any(|event| {
            let takes = matches!(event.kind, Kind::Acquire | Kind::Convert | Kind::GiveUp | Kind::Request);
            event.thread != begin.thread && takes && held.contains(&event.object)
        })
}

fn report(execution: &Execution, names: &dyn Names, lost: Lost, certainty: Certainty) -> Finding {
    let event = |index: u32| &execution.events[index as usize];
    let (wait, notify) = (event(lost.wait), event(lost.notify));
    let notifier: ThreadId = notify.thread;
    let lock = ObjectId(u32::try_from(wait.arg).unwrap_or(0));
    let mut case = Case::new(execution, names, &[lost.waiter, notifier], &[wait.object, lock]);
    let (waiter, by, condvar) = (case.thread(lost.waiter), case.thread(notifier), case.object(wait.object));
    let is_lost = certainty == Certainty::Confirmed;
    let label = if is_lost {
        format!("{by} notifies {condvar} here, and nobody waits yet")
    } else {
        format!("{by} notifies {condvar} here, without anything that makes sure that {waiter} waits")
    };
    case.at("notified", notifier, notify.site, label, &held_before(execution, lost.notify));
    let label = if is_lost {
        format!("{waiter} begins to wait here, after the last notify")
    } else {
        format!("{waiter} waits here; if it comes late, for ever")
    };
    // The wait gives its own lock up.
    let held: Vec<_> =
        held_before(execution, lost.wait).into_iter().filter(|hold| hold.object != lock.0).collect();
    case.at("waits", lost.waiter, wait.site, label, &held);
    let message = if is_lost {
        format!("{waiter} waits for a notify of {condvar} that {by} sent before the wait began")
    } else {
        for (thread, action, site) in [
            (lost.waiter, format!("is about to wait on {condvar}, holding {}", case.object(lock)), wait.site),
            (notifier, format!("notifies {condvar}, on which nobody waits yet"), notify.site),
            (lost.waiter, format!("waits on {condvar}, which nobody notifies again"), wait.site),
        ] {
            case.step(thread, action, site);
        }
        format!("{by} can notify {condvar} before {waiter} waits, and nobody notifies it again")
    };
    case.finding(ID, certainty, message, HELP)
}

#[cfg(test)]
mod tests {
    use super::LostWakeup;
    use crate::detectors::find;
    use crate::finding::{Certainty, Finding};

    fn found(script: &str) -> Vec<Finding> {
        find(&LostWakeup, script)
    }

    #[test]
    fn a_wait_after_the_only_notify_is_confirmed() {
        let script = "1 notify-all cv 0\n2 lock m\n2 wait cv m\n2 unlock m\n1 want-join 2\nstuck";
        let [finding] = &found(script)[..] else { panic!("one finding") };
        assert_eq!(finding.certainty, Certainty::Confirmed);
        let lines: Vec<u32> = finding.locations.iter().map(|location| location.place.line).collect();
        assert_eq!(lines, [1, 3]);
        assert_eq!(
            finding.message,
            "`t2` waits for a notify of `condvar 1` that `main` sent before the wait began"
        );
    }

    /// A wait that ends well, with `between` while it lasts and `after` in the end.
    fn ended_well(wait: &str, between: &str, notify: &str, after: &str) -> Vec<Finding> {
        let line = 3 + between.lines().count() + 1;
        found(&format!(
            "2 lock m\n2 {wait} cv m\n2 unlock m\n{between}1 {notify}\n2 woken cv {}\n2 lock m\n2 unlock m\n{after}",
            line * 10
        ))
    }

    #[test]
    fn a_notify_that_nothing_orders_after_the_wait_is_predicted() {
        let [finding] = &ended_well("wait", "", "notify cv 1", "")[..] else { panic!("one finding") };
        assert_eq!(finding.certainty, Certainty::Predicted);
        assert_eq!(finding.witness.len(), 3);
        assert_eq!(ended_well("wait", "", "notify-all cv 4", "").len(), 1);
    }

    #[test]
    fn a_notifier_that_takes_the_lock_first_waits_for_the_wait() {
        assert!(ended_well("wait", "1 lock m\n1 set m\n1 unlock m\n", "notify cv 1", "").is_empty());
        assert!(ended_well("wait", "1 try-lock m\n1 unlock m\n", "notify cv 1", "").is_empty());
    }

    #[test]
    fn a_later_notify_a_second_waiter_or_a_timeout_make_it_good() {
        assert!(ended_well("wait", "", "notify cv 1", "1 notify cv 0\n").is_empty());
        assert!(ended_well("wait", "", "notify cv 2", "").is_empty());
        assert!(ended_well("timed-wait", "", "notify cv 1", "").is_empty());
    }
}
