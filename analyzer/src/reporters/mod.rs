//! Reporters: a report in, text out. One file per format, its stem the format's id.
//!
//! Invariant: a reporter sees a [`Report`] and the sources that it points into, never a trace and
//! never another reporter; the same report, sources and [`Style`] give the same bytes.

mod github;
mod human;
mod json;
mod junit;
pub mod lanes;
mod markdown;
mod message_json;
mod sarif;
mod short;
mod snippet;

use crate::finding::{Certainty, Report};
use crate::sources::Sources;

/// One output format.
pub trait Reporter: Sync {
    /// What `--format` calls it.
    fn id(&self) -> &'static str;
    /// The whole report as text, ending with a line end unless empty.
    fn render(&self, report: &Report, sources: &Sources, style: &Style) -> String;
}

/// Every format; the first is the default.
pub static REGISTRY: &[&dyn Reporter] = &[
    &human::Human,
    &short::Short,
    &json::Json,
    &message_json::MessageJson,
    &sarif::Sarif,
    &github::Github,
    &junit::Junit,
    &markdown::Markdown,
];

/// The format with this id.
#[must_use]
pub fn find(id: &str) -> Option<&'static dyn Reporter> {
    REGISTRY.iter().copied().find(|reporter| reporter.id() == id)
}

/// How a reader's screen looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether ANSI colours may be used.
    pub color: bool,
    /// Whether lines may be drawn with Unicode characters, else with ASCII.
    pub unicode: bool,
    /// Whether anything may be drawn; else reports are plain sentences (for screen readers).
    pub graphical: bool,
    /// Columns at which text is wrapped.
    pub width: usize,
}

impl Style {
    /// For a file or a pipe: no colour, 80 columns.
    pub const FILE: Style = Style { color: false, unicode: true, graphical: true, width: 80 };

    /// What standard error is, by the rules that miette follows: `NO_COLOR`, `FORCE_COLOR`,
    /// `NO_GRAPHICS`, the locale and the terminal's width.
    #[must_use]
    pub fn of_stderr() -> Style {
        let width = terminal_size::terminal_size_of(std::io::stderr()).map(|(width, _)| usize::from(width.0));
        Style {
            color: supports_color::on(supports_color::Stream::Stderr).is_some(),
            unicode: supports_unicode::on(supports_unicode::Stream::Stderr),
            graphical: std::env::var("NO_GRAPHICS").map_or(true, |value| value == "0"),
            width: width.unwrap_or(Style::FILE.width).max(40),
        }
    }
}

/// What a report calls a certainty.
const fn certainty_word(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::Potential => "potential",
        Certainty::Predicted => "predicted",
        Certainty::Confirmed => "confirmed",
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::finding::{Finding, Held, Location, ObjectRef, Place, ProgramStatus, Stats, Step, ThreadRef};

    /// A program with two threads that take two locks in opposite orders.
    pub(crate) const PROGRAM: &str = "\
use std::sync::Mutex;
static LEFT: Mutex<u32> = Mutex::new(0);
static RIGHT: Mutex<u32> = Mutex::new(0);

fn one() {
    let left = LEFT.lock().unwrap();
    let right = RIGHT.lock().unwrap();
}

// This line keeps
// the two functions
// further apart than
// one snippet
// reaches.
fn other() {
    let right = RIGHT.lock().unwrap();
    let left = LEFT.lock().unwrap();
}
";

    fn place(line: u32, column: u32) -> Place {
        Place { file: "src/main.rs".to_owned(), line, column }
    }

    fn at(
        role: &str,
        line: u32,
        column: u32,
        thread: usize,
        label: &str,
        held: &[(&str, Place)],
    ) -> Location {
        let held =
            held.iter().map(|(name, at)| Held { name: (*name).to_owned(), acquired: Some(at.clone()) });
        Location {
            role: role.to_owned(),
            place: place(line, column),
            thread,
            label: label.to_owned(),
            held: held.collect(),
            access: None,
            package: None,
            stack: Vec::new(),
        }
    }

    pub(crate) fn inversion() -> Finding {
        let step = |thread, action: &str, line, column| Step {
            thread,
            action: action.to_owned(),
            place: Some(place(line, column)),
        };
        let object = |name: &str, line| ObjectRef {
            kind: "mutex".to_owned(),
            name: name.to_owned(),
            born: Some(place(line, 27)),
        };
        Finding {
            rule: "lock_order_inversion".to_owned(),
            certainty: Certainty::Predicted,
            message: "`a` and `b` take `LEFT` and `RIGHT` in opposite orders and can block each other"
                .to_owned(),
            help: "take both locks in one order everywhere".to_owned(),
            count: 12,
            threads: vec![
                ThreadRef { id: 2, name: "a".to_owned(), process: 0 },
                ThreadRef { id: 3, name: "b".to_owned(), process: 0 },
            ],
            objects: vec![object("LEFT", 2), object("RIGHT", 3)],
            locations: vec![
                at("acquired_first", 6, 21, 0, "`a` acquires `LEFT` here", &[]),
                at("wanted", 7, 23, 0, "`a` then wants `RIGHT`", &[("LEFT", place(6, 21))]),
                at("acquired_first", 16, 23, 1, "`b` acquires `RIGHT` here", &[]),
                at("wanted", 17, 21, 1, "`b` then wants `LEFT`", &[("GATE", place(3, 1))]),
            ],
            witness: vec![step(0, "acquires `LEFT`", 6, 21), step(1, "acquires `RIGHT`", 16, 23)],
            notes: vec!["seen in one order only".to_owned()],
            processes: Vec::new(),
            schedule: None,
        }
    }

    pub(crate) fn report() -> Report {
        Report {
            version: 1,
            run: "7".to_owned(),
            program: ProgramStatus { exit: Some(0), signal: None },
            findings: vec![inversion()],
            stats: Stats { events: 12345, threads: 4, processes: 1, ..Stats::default() },
            warnings: Vec::new(),
            ..Report::default()
        }
    }

    #[test]
    fn every_format_has_its_own_id_and_is_found_by_it() {
        for reporter in REGISTRY {
            assert_eq!(find(reporter.id()).map(Reporter::id), Some(reporter.id()));
        }
        assert!(find("yaml").is_none());
        assert_eq!(REGISTRY[0].id(), "human");
    }
}
