//! Static meets dynamic: findings of the source and of a run that are about the same mistake.
//!
//! They are, if their rules are siblings and a line is among the places of both. The run's finding stays, since it
//! has threads and a witness, and says that the source shows it as well.

use crate::detectors::join_repeats;
use crate::finding::{Certainty, Finding};

/// Rules that find in a run what this static rule finds in the source.
fn siblings(rule: &str) -> &'static [&'static str] {
    match rule {
        "double_lock" | "rwlock_read_recursion" | "lock_order_inversion" | "guard_in_scrutinee" => {
            &["deadlock", "lock_order_inversion"]
        }
        "once_reentrancy" => &["deadlock"],
        "guard_across_blocking_call" => &["deadlock", "blocked_forever"],
        "condvar_wait_without_loop" | "notify_without_change_under_lock" => {
            &["lost_wakeup", "blocked_forever", "failing_schedule"]
        }
        "atomic_load_then_store" => &["lost_update"],
        "check_then_act" => &["atomicity_violation", "blocked_forever"],
        "relaxed_publication" | "static_mut_shared" | "unsafe_send_sync_unbounded" => &["data_race"],
        "detached_thread" => &["thread_killed_at_exit"],
        _ => &[],
    }
}

/// Joins what a run shows to what the source shows.
pub fn join(of_source: &mut Vec<Finding>, of_run: &mut Vec<Finding>, run: &str) {
    for shown in &mut *of_run {
        let mut rules = Vec::new();
        of_source.retain(|finding| {
            let is_same = siblings(&finding.rule).contains(&shown.rule.as_str())
                && shown.certainty >= finding.certainty.min(Certainty::Potential)
                && shares_line(finding, shown);
            if is_same && !rules.contains(&finding.rule) {
                rules.push(finding.rule.clone());
            }
            !is_same
        });
        for rule in rules {
            shown.notes.push(format!("the source alone shows it as well, as `{rule}`"));
        }
        shown.notes.push(format!("seen in run {run}"));
    }
    of_source.append(of_run);
    let all = std::mem::take(of_source);
    *of_source = join_repeats(all);
}

fn shares_line(one: &Finding, other: &Finding) -> bool {
    let line = |finding: &Finding| -> Vec<(String, u32)> {
        finding.locations.iter().map(|location| (location.place.file.clone(), location.place.line)).collect()
    };
    let lines = line(other);
    line(one).iter().any(|place| lines.contains(place))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Location, Place};

    fn finding(rule: &str, certainty: Certainty, line: u32) -> Finding {
        let location = Location {
            role: "wanted".to_owned(),
            place: Place { file: "src/main.rs".to_owned(), line, column: 1 },
            thread: 0,
            label: String::new(),
            held: Vec::new(),
            access: None,
            package: None,
            stack: Vec::new(),
        };
        Finding {
            rule: rule.to_owned(),
            certainty,
            message: String::new(),
            help: String::new(),
            count: 1,
            threads: Vec::new(),
            processes: Vec::new(),
            objects: Vec::new(),
            locations: vec![location],
            witness: Vec::new(),
            notes: Vec::new(),
            schedule: None,
        }
    }

    #[test]
    fn what_both_have_found_is_one_finding_with_the_runs_certainty() {
        let mut of_source = vec![
            finding("double_lock", Certainty::Predicted, 7),
            finding("double_lock", Certainty::Predicted, 8),
            finding("check_then_act", Certainty::Potential, 7),
        ];
        let mut of_run = vec![finding("deadlock", Certainty::Confirmed, 7)];
        join(&mut of_source, &mut of_run, "R");
        let told: Vec<_> = of_source
            .iter()
            .map(|finding| (finding.rule.as_str(), finding.certainty, finding.locations[0].place.line))
            .collect();
        assert_eq!(
            told,
            [
                ("deadlock", Certainty::Confirmed, 7),
                ("double_lock", Certainty::Predicted, 8),
                ("check_then_act", Certainty::Potential, 7),
            ]
        );
        assert!(of_source[0].notes.iter().any(|note| note.contains("`double_lock`")));
    }
}
