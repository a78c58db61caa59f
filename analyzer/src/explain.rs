//! `cargo snag explain`: the pages of docs/rules, inside the binary.
//!
//! Invariant: one page per rule of [`crate::detectors::REGISTRY`] and [`crate::lints::REGISTRY`], its stem the
//! rule's id. A rule in both has one page: the same mistake, found in a run or in the source.

/// Rules and their pages, in alphabetical order.
static PAGES: &[(&str, &str)] = &[
    ("atomic_load_then_store", include_str!("../../docs/rules/atomic_load_then_store.md")),
    ("atomicity_violation", include_str!("../../docs/rules/atomicity_violation.md")),
    ("blocked_forever", include_str!("../../docs/rules/blocked_forever.md")),
    ("check_then_act", include_str!("../../docs/rules/check_then_act.md")),
    ("child_not_waited", include_str!("../../docs/rules/child_not_waited.md")),
    ("condvar_wait_without_loop", include_str!("../../docs/rules/condvar_wait_without_loop.md")),
    ("data_race", include_str!("../../docs/rules/data_race.md")),
    ("deadlock", include_str!("../../docs/rules/deadlock.md")),
    ("detached_thread", include_str!("../../docs/rules/detached_thread.md")),
    ("double_lock", include_str!("../../docs/rules/double_lock.md")),
    ("failing_schedule", include_str!("../../docs/rules/failing_schedule.md")),
    ("fork_while_lock_held", include_str!("../../docs/rules/fork_while_lock_held.md")),
    ("fork_with_threads", include_str!("../../docs/rules/fork_with_threads.md")),
    ("guard_across_await", include_str!("../../docs/rules/guard_across_await.md")),
    ("guard_across_blocking_call", include_str!("../../docs/rules/guard_across_blocking_call.md")),
    ("guard_dropped_at_once", include_str!("../../docs/rules/guard_dropped_at_once.md")),
    ("guard_in_scrutinee", include_str!("../../docs/rules/guard_in_scrutinee.md")),
    ("livelock", include_str!("../../docs/rules/livelock.md")),
    ("lock_order_inversion", include_str!("../../docs/rules/lock_order_inversion.md")),
    ("lost_update", include_str!("../../docs/rules/lost_update.md")),
    ("lost_wakeup", include_str!("../../docs/rules/lost_wakeup.md")),
    (
        "notify_without_change_under_lock",
        include_str!("../../docs/rules/notify_without_change_under_lock.md"),
    ),
    ("once_reentrancy", include_str!("../../docs/rules/once_reentrancy.md")),
    ("oversubscription", include_str!("../../docs/rules/oversubscription.md")),
    ("relaxed_publication", include_str!("../../docs/rules/relaxed_publication.md")),
    ("rwlock_read_recursion", include_str!("../../docs/rules/rwlock_read_recursion.md")),
    ("static_mut_shared", include_str!("../../docs/rules/static_mut_shared.md")),
    ("thread_killed_at_exit", include_str!("../../docs/rules/thread_killed_at_exit.md")),
    ("unsafe_send_sync_unbounded", include_str!("../../docs/rules/unsafe_send_sync_unbounded.md")),
];

/// The page of a rule, as Markdown; nothing if there is no such rule.
#[must_use]
pub fn page(rule: &str) -> Option<&'static str> {
    PAGES.iter().find(|(id, _)| *id == rule).map(|(_, page)| *page)
}

/// Every rule's id with the sentence that its page opens with.
pub fn rules() -> impl Iterator<Item = (&'static str, &'static str)> {
    PAGES.iter().map(|(id, page)| (*id, opening(page)))
}

/// The first line of text below a page's title.
fn opening(page: &str) -> &str {
    page.lines().skip(1).find(|line| !line.is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    fn repository() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    fn ids() -> BTreeSet<String> {
        PAGES.iter().map(|(id, _)| (*id).to_owned()).collect()
    }

    #[test]
    fn every_rule_has_a_page_and_every_page_a_rule() {
        let detectors = crate::detectors::REGISTRY.iter().map(|rule| rule.id().to_owned());
        let lints = crate::lints::REGISTRY.iter().map(|rule| rule.id().to_owned());
        assert_eq!(ids(), detectors.chain(lints).collect());
    }

    #[test]
    fn every_file_among_the_rules_is_in_the_binary() {
        let files = fs::read_dir(repository().join("docs/rules")).expect("the folder is there");
        let stem =
            |file: fs::DirEntry| file.path().file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let stems: BTreeSet<_> = files.flatten().filter_map(stem).collect();
        assert_eq!(ids(), stems);
    }

    #[test]
    fn every_page_opens_with_its_id_and_one_sentence() {
        for (id, page) in PAGES {
            assert_eq!(page.lines().next(), Some(format!("# `{id}`").as_str()));
            let opening = opening(page);
            assert!(opening.ends_with('.') && opening.len() < 110, "{id}: {opening}");
            for heading in ["## Example", "## Report", "## Certainty", "## Fix", "## What it cannot see"] {
                assert!(page.contains(heading), "{id} has no {heading}");
            }
        }
    }

    #[test]
    fn every_rule_is_required_by_a_mark_in_a_fixture() {
        let mut marks = String::new();
        // Static rules have sources of their own.
        let mut folders = vec![repository().join("fixtures"), repository().join("tests/lints/sources")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder can be read").flatten() {
                let path = entry.path();
                if path.is_dir() && entry.file_name() != "target" {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let text = fs::read_to_string(&path).expect("a source can be read");
                    marks.extend(text.split("//~").skip(1).filter_map(|mark| mark.lines().next()));
                }
            }
        }
        for (id, _) in PAGES {
            assert!(marks.contains(id), "no fixture is marked with {id}");
        }
    }
}
