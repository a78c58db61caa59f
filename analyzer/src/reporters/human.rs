//! `--format human`: each finding as miette draws diagnostics, then one line of summary.
//!
//! A finding reads from top to bottom: rule and certainty, what is wrong, the places of both sides
//! with their source, the order in which it happens, the locks held besides, what limits it, and
//! what to do.

use std::fmt::{self, Write};

use miette::{
    Diagnostic, GraphicalTheme, LabeledSpan, MietteHandlerOpts, ReportHandler, Severity, SourceCode,
};
use miette::{ThemeCharacters, ThemeStyles};
use textwrap::{WordSeparator, WordSplitter};

use crate::finding::{Certainty, Finding, Location, MemoryStats, Place, ProcessRef, Report};
use crate::reporters::snippet::Snippets;
use crate::reporters::{Reporter, Style, certainty_word};
use crate::sources::Sources;

pub(super) struct Human;

impl Reporter for Human {
    fn id(&self) -> &'static str {
        "human"
    }

    fn render(&self, report: &Report, sources: &Sources, style: &Style) -> String {
        let mut out = Output::new(style);
        for finding in &report.findings {
            out.finding(finding, sources);
        }
        for warning in &report.warnings {
            out.section("", "warning", warning);
        }
        let _ = writeln!(out.text, "{}", summary(report));
        if let Some(forgotten) = report.stats.memory.as_ref().and_then(forgotten) {
            out.wrapped("", "      ", &forgotten);
        }
        if let Some(first) = report.findings.first() {
            let _ = writeln!(out.text, "snag: `cargo snag explain {}` tells more about a rule", first.rule);
        }
        out.text
    }
}

/// Text under construction.
struct Output<'a> {
    style: &'a Style,
    styles: ThemeStyles,
    text: String,
}

impl Output<'_> {
    fn new(style: &Style) -> Output<'_> {
        let styles = if style.color { ThemeStyles::ansi() } else { ThemeStyles::none() };
        Output { style, styles, text: String::new() }
    }

    fn finding(&mut self, finding: &Finding, sources: &Sources) {
        let drawing = Drawing { finding, snippets: Snippets::of(finding, sources) };
        if self.style.graphical {
            self.draw(&drawing);
        } else {
            self.tell(finding, sources);
        }
        for (place, label) in &drawing.snippets.unreadable {
            self.section("  ", &at(place), &format!("{} (source not at hand)", label.replace('\n', "; ")));
        }
        self.witness(finding);
        self.stacks(finding);
        for held in held_besides(finding) {
            self.section("  ", "held", &held);
        }
        if let Some(made) = births(finding) {
            self.section("  ", "made", &made);
        }
        for who in threads_to_tell_apart(finding) {
            self.section("  ", "thread", &who);
        }
        for process in &finding.processes {
            self.section("  ", "process", &who_it_is(process));
        }
        for note in &finding.notes {
            self.section("  ", "note", note);
        }
        if let Some(schedule) = &finding.schedule {
            self.section("  ", "replay", schedule);
        }
        if finding.count > 1 {
            self.section("  ", "count", &format!("seen {} times", grouped(finding.count)));
        }
        self.section("  ", "help", &finding.help);
        self.text.push('\n');
    }

    fn draw(&mut self, drawing: &Drawing<'_>) {
        let characters =
            if self.style.unicode { ThemeCharacters::unicode() } else { ThemeCharacters::ascii() };
        let theme = GraphicalTheme { characters, styles: self.styles.clone() };
        let handler = MietteHandlerOpts::new()
            .graphical_theme(theme)
            .color(self.style.color)
            .force_graphical(true)
            .width(self.style.width)
            // Paths are not to be broken at their slashes.
            .word_separator(WordSeparator::AsciiSpace)
            .word_splitter(WordSplitter::NoHyphenation)
            .break_words(false)
            .context_lines(1)
            .terminal_links(false)
            .build();
        let _ = write!(self.text, "{}", Shown(&handler, drawing));
    }

    /// In sentences what [`Output::draw`] draws. miette's own narration is not used: it repeats the labels
    /// of one snippet in another.
    fn tell(&mut self, finding: &Finding, sources: &Sources) {
        let _ = writeln!(self.text, "{} ({})\n", finding.rule, certainty_word(finding.certainty));
        self.wrapped("  ", "  ", &finding.message);
        for location in &finding.locations {
            let place = &location.place;
            let source = sources.get(&place.file);
            if let Some(line) = source.as_ref().and_then(|source| source.line(place.line)) {
                self.section("  ", &at(place), &location.label);
                let _ = writeln!(self.text, "      {}", line.trim());
            }
        }
    }

    fn witness(&mut self, finding: &Finding) {
        if finding.witness.is_empty() {
            return;
        }
        let _ = writeln!(self.text, "  it can run in this order:");
        for (number, step) in finding.witness.iter().enumerate() {
            let thread = thread_name(finding, step.thread);
            let place = step.place.as_ref().map(|place| format!(" ({})", at(place))).unwrap_or_default();
            let action = format!("{thread} {}{place}", step.action.trim());
            self.wrapped(&format!("  {:>3}. ", number + 1), "       ", &action);
        }
    }

    /// How the threads got to where they access memory; nothing where the place alone says it, nor twice
    /// for one call of a function.
    fn stacks(&mut self, finding: &Finding) {
        let mut told: Vec<(Vec<String>, Vec<String>)> = Vec::new();
        for location in &finding.locations {
            let calls = calls(location);
            let name = thread_name(finding, location.thread);
            let same_call = |(known, names): &(Vec<String>, Vec<String>)| {
                names.contains(&name) && known.len() == calls.len() && known[1..] == calls[1..]
            };
            if calls.len() < 2 || told.iter().any(same_call) {
                continue;
            }
            match told.iter_mut().find(|(known, _)| *known == calls) {
                None => told.push((calls, vec![name])),
                Some((_, names)) => names.push(name),
            }
        }
        for (calls, names) in told {
            let _ = writeln!(self.text, "  how {} got there:", names.join(" and "));
            for call in calls.iter().take(SHOWN_CALLS) {
                self.wrapped("       ", "         ", call);
            }
            if calls.len() > SHOWN_CALLS {
                let _ = writeln!(self.text, "       … and {} more", calls.len() - SHOWN_CALLS);
            }
        }
    }

    /// A paragraph that begins with a coloured word.
    fn section(&mut self, indent: &str, title: &str, body: &str) {
        let title = format!("{title}:");
        let hanging = " ".repeat(indent.len() + if title.len() > 8 { 4 } else { title.len() + 1 });
        let first = format!("{indent}{} ", self.styles.help.style(title));
        self.wrapped(&first, &hanging, body);
    }

    fn wrapped(&mut self, first: &str, rest: &str, body: &str) {
        let options = textwrap::Options::new(self.style.width.saturating_sub(2))
            .initial_indent(first)
            .subsequent_indent(rest)
            .word_separator(WordSeparator::AsciiSpace)
            .word_splitter(WordSplitter::NoHyphenation)
            .break_words(false);
        let _ = writeln!(self.text, "{}", textwrap::fill(body, options));
    }
}

/// Most functions of a stack that are shown.
const SHOWN_CALLS: usize = 12;

/// The functions that led to a location, innermost first, without the standard library's.
fn calls(location: &Location) -> Vec<String> {
    let own = location.stack.iter().filter(|frame| !frame.place.as_ref().is_none_or(Place::is_library));
    own.map(|frame| {
        let place = frame.place.as_ref().map(|place| format!(" ({})", at(place))).unwrap_or_default();
        format!("{}{place}", frame.function)
    })
    .collect()
}

/// Displays a diagnostic through a handler.
struct Shown<'a>(&'a dyn ReportHandler, &'a Drawing<'a>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.debug(self.1, f)
    }
}

/// The part of a finding that miette draws.
#[derive(Debug)]
struct Drawing<'a> {
    finding: &'a Finding,
    snippets: Snippets,
}

impl fmt::Display for Drawing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.finding.message)
    }
}

impl std::error::Error for Drawing<'_> {}

impl Diagnostic for Drawing<'_> {
    fn code<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        Some(Box::new(format!("{} ({})", self.finding.rule, certainty_word(self.finding.certainty))))
    }

    fn severity(&self) -> Option<Severity> {
        Some(match self.finding.certainty {
            Certainty::Confirmed => Severity::Error,
            Certainty::Predicted => Severity::Warning,
            Certainty::Potential => Severity::Advice,
        })
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        (!self.snippets.is_empty()).then_some(&self.snippets as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        (!self.snippets.is_empty()).then(|| Box::new(self.snippets.labels.iter().cloned()) as Box<_>)
    }
}

fn at(place: &Place) -> String {
    format!("{}:{}:{}", place.file, place.line, place.column)
}

/// Locks held at a location whose acquisition is not itself one of the finding's places.
fn held_besides(finding: &Finding) -> Vec<String> {
    let shown = |place: &Place| finding.locations.iter().any(|location| location.place == *place);
    let sentence = |location: &Location| {
        let besides = location.held.iter().filter(|held| !held.acquired.as_ref().is_some_and(shown));
        let locks: Vec<_> = besides
            .map(|held| match &held.acquired {
                Some(place) => format!("`{}` since {}", held.name, at(place)),
                None => format!("`{}`", held.name),
            })
            .collect();
        let thread = finding.threads.get(location.thread).map_or("?", |thread| thread.name.as_str());
        let place = at(&location.place);
        (!locks.is_empty()).then(|| format!("at {place} `{thread}` also holds {}", locks.join(", ")))
    };
    let mut sentences = Vec::new();
    for sentence in finding.locations.iter().filter_map(sentence) {
        if !sentences.contains(&sentence) {
            sentences.push(sentence);
        }
    }
    sentences
}

/// Where the finding's objects were made, as far as it is known, those of one place together.
fn births(finding: &Finding) -> Option<String> {
    let mut places: Vec<(&Place, Vec<String>)> = Vec::new();
    for object in &finding.objects {
        let Some(born) = &object.born else { continue };
        let name = format!("`{}`", object.name.split(" #").next().unwrap_or_default());
        match places.iter_mut().find(|(place, _)| *place == born) {
            None => places.push((born, vec![name])),
            Some((_, names)) if names.contains(&name) => {}
            Some((_, names)) => names.push(name),
        }
    }
    let said = places.iter().map(|(place, names)| format!("{} at {}", names.join(" and "), at(place)));
    let said: Vec<_> = said.collect();
    (!said.is_empty()).then(|| said.join(", "))
}

/// The name of one of the finding's threads in quotes, and its process if they are of several.
fn thread_name(finding: &Finding, thread: usize) -> String {
    let Some(thread) = finding.threads.get(thread) else { return "`?`".to_owned() };
    let is_of_several = finding.threads.iter().any(|other| other.process != thread.process);
    let process = if is_of_several { format!(" of process {}", thread.process) } else { String::new() };
    format!("`{}`{process}", thread.name)
}

/// A process by its number, its number to the system, how it was made, and its command.
fn who_it_is(process: &ProcessRef) -> String {
    let ProcessRef { process, pid, how, parent, place, command } = process;
    let mut text = format!("{process} is pid {pid}");
    if let Some(how) = how {
        text += &match how.as_str() {
            "exec" => ", another program before".to_owned(),
            how => format!(", {how}"),
        };
        if let Some(parent) = parent.filter(|_| how != "exec") {
            text += &format!(" by process {parent}");
        }
        if let Some(place) = place {
            text += &format!(" at {}", at(place));
        }
    }
    if !command.is_empty() {
        text += &format!(": `{command}`");
    }
    text
}

/// Threads by number, where names alone could be mistaken: several processes, or one name twice.
fn threads_to_tell_apart(finding: &Finding) -> Vec<String> {
    let threads = &finding.threads;
    let twice = |name: &str| threads.iter().filter(|thread| thread.name == name).count() > 1;
    let several = threads.iter().any(|thread| thread.process != threads[0].process);
    let apart = threads.iter().filter(|thread| several || twice(&thread.name));
    apart.map(|who| format!("`{}` is thread {} of process {}", who.name, who.id, who.process)).collect()
}

/// The last line: what was found in how much.
fn summary(report: &Report) -> String {
    let of =
        |certainty| report.findings.iter().filter(|finding| finding.certainty == certainty).count() as u64;
    let parts: Vec<_> = [Certainty::Confirmed, Certainty::Predicted, Certainty::Potential]
        .into_iter()
        .filter(|&certainty| of(certainty) > 0)
        .map(|certainty| format!("{} {}", grouped(of(certainty)), certainty_word(certainty)))
        .collect();
    let found = match report.findings.len() {
        0 => "no findings".to_owned(),
        count => format!("{} ({})", counted(count as u64, "finding", "findings"), parts.join(", ")),
    };
    let stats = &report.stats;
    if let Some(source) = &stats.source {
        let files = counted(source.files, "file", "files");
        return format!("snag: {found} in {files}, {}", counted(source.lines, "line", "lines"));
    }
    format!(
        "snag: {found} in {} of {}, {}",
        counted(stats.events, "event", "events"),
        counted(stats.threads, "thread", "threads"),
        counted(stats.processes, "process", "processes"),
    )
}

/// What had to be forgotten of memory, if anything was.
fn forgotten(memory: &MemoryStats) -> Option<String> {
    let accesses = counted(memory.forgotten, "access", "accesses");
    let parts: Vec<_> = [
        (memory.forgotten, format!("{accesses} that later ones of the same eight bytes pushed out")),
        (memory.resets, format!("all accesses before each of {}", counted(memory.resets, "reset", "resets"))),
        (
            memory.shared_dropped,
            format!(
                "{} to memory that processes share, too many to be recorded",
                counted(memory.shared_dropped, "access", "accesses")
            ),
        ),
        (memory.threads_shared, format!("some of {}", counted(memory.threads_shared, "thread", "threads"))),
    ]
    .into_iter()
    .filter_map(|(count, what)| (count > 0).then_some(what))
    .collect();
    (!parts.is_empty())
        .then(|| format!("snag: races may be missing that need what was forgotten: {}", parts.join("; ")))
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

/// A number with a comma after every third digit from the right.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Frame;
    use crate::reporters::tests::{PROGRAM, report};

    fn render(report: &Report, style: &Style) -> String {
        let sources = Sources::default();
        sources.insert("src/main.rs", PROGRAM);
        Human.render(report, &sources, style)
    }

    const WIDE: Style = Style { width: 90, ..Style::FILE };

    #[test]
    fn a_report_shows_both_sides_the_order_and_the_way_out() {
        let text = render(&report(), &WIDE);
        assert_eq!(text, include_str!("human.expected"), "got:\n{text}");
    }

    #[test]
    fn colour_changes_no_word_and_ascii_draws_without_unicode() {
        let plain = render(&report(), &WIDE);
        let colored = render(&report(), &Style { color: true, ..WIDE });
        assert!(colored.contains("\x1b[") && !plain.contains('\x1b'));
        let mut without = String::new();
        for part in colored.split('\x1b') {
            without.push_str(
                part.strip_prefix('[').and_then(|part| part.split_once('m')).map_or(part, |it| it.1),
            );
        }
        assert_eq!(without, plain);
        let ascii = render(&report(), &Style { unicode: false, ..WIDE });
        assert!(ascii.is_ascii() && ascii.contains("LEFT.lock()"), "{ascii}");
    }

    #[test]
    fn a_place_whose_source_is_missing_is_still_named() {
        let mut report = report();
        report.findings[0].locations[2].place.file = "~registry/gone-1.0.0/src/lib.rs".to_owned();
        report.findings[0].locations[3].place.line = 400;
        let text = render(&report, &WIDE);
        assert!(
            text.contains("~registry/gone-1.0.0/src/lib.rs:16:23: `b` acquires `RIGHT` here (source not")
        );
        assert!(text.contains("src/main.rs:400:21:"), "{text}");
    }

    #[test]
    fn two_sides_at_one_place_share_a_mark() {
        let mut report = report();
        report.findings[0].locations.truncate(2);
        report.findings[0].locations[1].place = report.findings[0].locations[0].place.clone();
        let text = render(&report, &WIDE);
        assert!(
            text.contains("`a` acquires `LEFT` here") && text.contains("`a` then wants `RIGHT`"),
            "{text}"
        );
        assert_eq!(text.matches("[src/main.rs").count(), 1, "{text}");
    }

    #[test]
    fn a_screen_reader_gets_sentences() {
        let text = render(&report(), &Style { graphical: false, ..WIDE });
        let line = "src/main.rs:17:21: `b` then wants `LEFT`\n      let left = LEFT.lock().unwrap();\n";
        assert!(!text.contains('─') && text.contains(line), "{text}");
    }

    #[test]
    fn threads_of_one_name_are_told_apart_by_number() {
        let mut report = report();
        report.findings[0].threads[1].name = "a".to_owned();
        assert!(render(&report, &WIDE).contains("thread: `a` is thread 3 of process 0"));
    }

    #[test]
    fn stacks_are_shown_where_they_say_more_than_the_place() {
        let mut report = report();
        let frame = |function: &str, file: &str, line| Frame {
            function: function.to_owned(),
            place: Some(Place { file: file.to_owned(), line, column: 5 }),
            inlined: false,
        };
        let stack = vec![
            frame("core::ptr::write", "~rust/library/core/src/ptr/mod.rs", 3),
            frame("core::hint::black_box", "~rust/library/core/src/hint.rs", 4),
            frame("bank::one", "src/main.rs", 6),
            frame("bank::main", "src/main.rs", 16),
        ];
        report.findings[0].locations[2].stack = vec![stack[2].clone()];
        report.findings[0].locations[0].stack.clone_from(&stack);
        report.findings[0].locations[3].stack.clone_from(&stack);
        // Another line of the same call.
        report.findings[0].locations[1].stack = vec![frame("bank::one", "src/main.rs", 7), stack[3].clone()];
        let text = render(&report, &WIDE);
        let told = "  how `a` and `b` got there:\n       bank::one (src/main.rs:6:5)\n       bank::main (src/main.rs:16:5)\n";
        assert!(text.contains(told) && text.matches("got there").count() == 1, "{text}");
    }

    #[test]
    fn what_was_forgotten_of_memory_is_said() {
        let mut report = report();
        let memory = MemoryStats { live_threads: 4, ..MemoryStats::default() };
        report.stats.memory = Some(memory);
        assert!(!render(&report, &WIDE).contains("forgotten"));
        report.stats.memory = Some(MemoryStats { forgotten: 1234, resets: 1, ..memory });
        let text = render(&report, &Style { width: 300, ..WIDE });
        assert!(text.contains("1,234 accesses that later ones of the same eight bytes pushed out; all accesses before each of 1 reset\n"), "{text}");
    }

    #[test]
    fn a_clean_run_is_one_line() {
        let mut report = report();
        report.findings.clear();
        report.stats =
            crate::finding::Stats { events: 1, threads: 1_234_567, processes: 2, ..Default::default() };
        let text = render(&report, &WIDE);
        assert_eq!(text, "snag: no findings in 1 event of 1,234,567 threads, 2 processes\n");
    }

    #[test]
    fn a_process_is_told_by_its_numbers_its_making_and_its_command() {
        let forked = ProcessRef {
            process: 1,
            pid: 4711,
            how: Some("forked".to_owned()),
            parent: Some(0),
            place: Some(Place { file: "src/main.rs".to_owned(), line: 3, column: 5 }),
            command: "server --fast".to_owned(),
        };
        assert_eq!(
            who_it_is(&forked),
            "1 is pid 4711, forked by process 0 at src/main.rs:3:5: `server --fast`"
        );
        let first = ProcessRef { process: 0, how: None, parent: None, place: None, ..forked.clone() };
        assert_eq!(who_it_is(&first), "0 is pid 4711: `server --fast`");
        let image = ProcessRef { how: Some("exec".to_owned()), place: None, ..forked };
        assert_eq!(who_it_is(&image), "1 is pid 4711, another program before: `server --fast`");
    }
}
