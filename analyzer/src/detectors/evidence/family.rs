//! Words and places for processes that stood still together.
//!
//! Invariant: threads and places are told where they were recorded, processes in any case.

use std::collections::BTreeSet;

use super::{Case, process_name};
use crate::finding::{Certainty, Finding};
use crate::model::execution::{Execution, ObjectId, SiteId, ThreadId};
use crate::model::family_standstill::{FamilyStandstill, FamilyWait};
use crate::model::forks::Forks;
use crate::model::names::Names;
use crate::run::meta::{Awaited, Waker};

/// A standstill as a finding of this rule.
#[must_use]
pub fn report(
    execution: &Execution,
    names: &dyn Names,
    standstill: &FamilyStandstill,
    rule: &str,
) -> Finding {
    let is_deadlock = standstill.is_deadlock();
    let told: Vec<&FamilyWait> = if is_deadlock {
        standstill.ring.iter().map(|&at| &standstill.waits[at]).collect()
    } else {
        standstill.waits.iter().collect()
    };
    let threads: Vec<ThreadId> =
        told.iter().map(|wait| wait.thread).filter(|thread| !thread.is_none()).collect();
    let objects: Vec<ObjectId> = told.iter().map(|wait| object(wait)).collect();
    let mut case = Case::new(execution, names, &threads, &objects);
    for wait in &told {
        let label = format!("{} waits here {}", who(&case, execution, wait), what(&case, execution, wait));
        if let Some(blocked) = wait.blocked {
            let held = execution.end().held(wait.thread.0);
            for hold in &held {
                let lock = ObjectId(hold.object);
                let label = format!(
                    "{} {}s {} here",
                    case.thread_of_process(wait.thread),
                    case.verb(lock, hold.mode),
                    case.object(lock)
                );
                case.at("acquired_first", wait.thread, SiteId(hold.site), label, &[]);
            }
            case.at("waits", wait.thread, SiteId(blocked.site), label, &held);
        } else {
            case.note(label);
        }
    }
    // Where one side waits for the other's first word, both have what they need.
    if !is_deadlock || told.iter().any(|wait| wait.wait.awaited != Awaited::Input) {
        for wait in &told {
            tell_ends(&mut case, execution, wait);
        }
    }
    let all: Vec<String> = told
        .iter()
        .map(|wait| format!("{} waits {}", who(&case, execution, wait), what(&case, execution, wait)))
        .collect();
    let message = match &all[..] {
        [one] => format!("{one}, for ever"),
        _ if is_deadlock => format!("deadlock across processes: {}", all.join("; ")),
        _ => format!("processes wait for ever: {}", all.join("; ")),
    };
    let help = help(&told);
    case.finding(rule, Certainty::Confirmed, message, help)
}

fn object(wait: &FamilyWait) -> ObjectId {
    wait.blocked.map_or(ObjectId::default(), |blocked| ObjectId(blocked.object))
}

fn who(case: &Case<'_>, execution: &Execution, wait: &FamilyWait) -> String {
    if wait.thread.is_none() {
        process_name(execution, wait.process)
    } else {
        case.thread_of_process(wait.thread)
    }
}

fn what(case: &Case<'_>, execution: &Execution, wait: &FamilyWait) -> String {
    let object = object(wait);
    let own = wait.wakers.iter().all(|&waker| waker == wait.process);
    let others = wait.wakers.iter().filter(|&&waker| own || waker != wait.process);
    let others: Vec<String> = others.map(|&waker| process_name(execution, waker)).collect();
    let others = Case::list(&others);
    let through = match (object.is_none(), wait.wait.descriptor) {
        (false, _) => case.object(object),
        (true, Some(descriptor)) => format!("descriptor {descriptor}"),
        (true, None) => "something".to_owned(),
    };
    match wait.wait.awaited {
        Awaited::Input if own => format!(
            "for more bytes from {through} or their end, which only it could write or close itself ({})",
            ends(&wait.wait.wakers)
        ),
        Awaited::Input => {
            format!("for bytes from {through}, or their end, which only {others} could write or close")
        }
        Awaited::Output if own => format!("for room in {through}, which only it reads itself"),
        Awaited::Output => format!("for room in {through}, which only {others} could read"),
        Awaited::Child => format!("for the end of {others}"),
        Awaited::Futex if wait.is_owed && wait.is_lost => {
            format!("for {through}, which {others} held when it ended")
        }
        Awaited::Futex if wait.is_owed => format!("for {through}, which {others} holds"),
        Awaited::Futex => format!("for {through}, which only {others} could give"),
        Awaited::FileLock => format!("for a lock of {through}, which {others} has open"),
    }
}

/// The descriptors by which a process holds an end.
fn ends(wakers: &[Waker]) -> String {
    let mut numbers: Vec<String> =
        wakers.iter().filter_map(|waker| waker.descriptor).map(|number| number.to_string()).collect();
    numbers.sort();
    let word = if numbers.len() == 1 { "descriptor" } else { "descriptors" };
    format!("{word} {}", Case::list(&numbers))
}

/// Says who holds the other end of what is waited for, and since when.
fn tell_ends(case: &mut Case<'_>, execution: &Execution, wait: &FamilyWait) {
    if wait.wait.awaited != Awaited::Input {
        return;
    }
    let forks = Forks::of(execution);
    for &holder in &wait.wakers {
        let Some(fork) = forks.all.iter().find(|fork| fork.child == holder) else { continue };
        let before = execution.events[fork.event as usize].seq;
        if !is_older(execution, object(wait), before) {
            continue;
        }
        let event = &execution.events[fork.event as usize];
        let held: Vec<Waker> = {
            let pid = execution.processes[holder as usize].definitions.pid;
            wait.wait.wakers.iter().copied().filter(|waker| waker.pid == pid).collect()
        };
        let label = format!(
            "{} inherited the writing end at this fork ({}) and has not closed it",
            process_name(execution, holder),
            ends(&held)
        );
        case.at("inherited", fork.thread, event.site, label, &[]);
    }
}

/// Whether the stream was there before event number `seq`: another process knows it, or it was used.
fn is_older(execution: &Execution, stream: ObjectId, seq: u64) -> bool {
    let uses = || execution.events.iter().filter(|event| event.object == stream && !stream.is_none());
    let processes: BTreeSet<u32> = uses().map(|event| execution.thread(event.thread).process).collect();
    processes.len() > 1 || uses().any(|event| event.seq < seq)
}

fn help(told: &[&FamilyWait]) -> &'static str {
    let waits_for = |awaited: Awaited| told.iter().any(|wait| wait.wait.awaited == awaited);
    let own = told.iter().all(|wait| wait.wakers.iter().all(|&waker| waker == wait.process));
    if waits_for(Awaited::Child) && waits_for(Awaited::Output) {
        "read everything that the child writes before waiting for its end"
    } else if waits_for(Awaited::Input) && (own || waits_for(Awaited::Child)) {
        "after a fork, close in each process the ends of pipes that it does not use: the end of a pipe is read when \
         all its writing ends are closed"
    } else if waits_for(Awaited::Input) {
        "let one side speak first, and the other listen first"
    } else if waits_for(Awaited::Output) {
        "let each side read while it writes, in a thread of its own, or keep messages smaller than what a pipe holds"
    } else {
        "take these locks in the same order everywhere, in all processes"
    }
}
