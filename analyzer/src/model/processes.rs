//! Which process came of which, and by which event.
//!
//! A forked child names the number of its parent's `Fork`. Of a child that was spawned its parent tells the pid,
//! and an image that an `exec` made has the pid of the one before.

use std::collections::HashMap;

use snag_trace::Kind;
use snag_trace::process::How;

use crate::model::execution::Execution;

/// Finds out how each process was made.
pub(super) fn relate(execution: &mut Execution) {
    let mut last_fork = HashMap::new();
    let mut made: HashMap<u32, Vec<u32>> = HashMap::new();
    let mut started = HashMap::new();
    let mut execs: HashMap<u32, Vec<u32>> = HashMap::new();
    for (index, event) in (0_u32..).zip(&execution.events) {
        let process = execution.thread(event.thread).process;
        match event.kind {
            Kind::Fork => {
                last_fork.insert(event.thread, index);
            }
            Kind::Forked if event.arg != 0 => {
                if let Some(fork) = last_fork.get(&event.thread) {
                    made.entry(u32::try_from(event.arg).unwrap_or(0)).or_default().push(*fork);
                }
            }
            Kind::ProcessStart => {
                started.entry(process).or_insert(event.arg);
            }
            Kind::Exec => execs.entry(process).or_default().push(index),
            _ => {}
        }
    }
    for at in 0..execution.processes.len() {
        let process = &execution.processes[at];
        let (pid, first) = (process.definitions.pid, process.definitions.first_seq);
        let before = |index: &u32| execution.events[*index as usize].seq <= first;
        let earlier = execution.processes[..at].iter().rposition(|it| it.definitions.pid == pid);
        let made_by = if process.definitions.forked {
            started.get(&(at as u32)).and_then(|&seq| execution.index_of(seq))
        } else if let Some(earlier) = earlier {
            let own = execs.get(&(earlier as u32));
            own.and_then(|own| own.iter().copied().rfind(before))
        } else {
            made.get(&pid).and_then(|forks| forks.iter().copied().rfind(before))
        };
        let fork = made_by.map(|index| execution.events[index as usize]);
        let parent = fork.map(|event| execution.thread(event.thread).process);
        let how = fork.and_then(|event| {
            let births = &execution.processes[parent? as usize].definitions.births;
            births.get(&event.seq).map(|birth| birth.how)
        });
        let process = &mut execution.processes[at];
        process.made_by = made_by;
        process.parent = parent.or(earlier.map(|earlier| earlier as u32)).or(process.parent);
        process.how = how.or(process.definitions.forked.then_some(How::Fork));
    }
}
