//! The places of a finding as labelled spans over several files.
//!
//! miette draws one source text per diagnostic. [`Snippets`] is such a text made of all files of a
//! finding, one after another: a span that would cross from one file into the next is refused, so
//! that each file gets blocks of its own, and so do lines of one file that are far apart.
//! Places whose line cannot be read are kept aside in [`Snippets::unreadable`].

use std::sync::Arc;

use miette::{LabeledSpan, MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use crate::finding::{Finding, Location, Place};
use crate::sources::{Source, Sources};

/// Lines this far apart are still drawn in one block.
const NEAR: usize = 4;
/// A longer call is underlined only up to its name, in bytes.
const LONGEST_CALL: usize = 48;

#[derive(Debug)]
struct File {
    name: String,
    source: Arc<Source>,
    /// Where it starts in the joined text.
    base: usize,
}

/// The source text that a finding's places point into.
#[derive(Debug, Default)]
pub(super) struct Snippets {
    files: Vec<File>,
    /// One per place that can be shown.
    pub labels: Vec<LabeledSpan>,
    /// Labels with their places, where the source is not to be had.
    pub unreadable: Vec<(Place, String)>,
}

impl Snippets {
    /// The places of `finding`, files in the order in which they first appear.
    pub(super) fn of(finding: &Finding, sources: &Sources) -> Snippets {
        let mut snippets = Snippets::default();
        for (place, label) in join_same_places(&finding.locations) {
            match snippets.span(&place, sources) {
                Some((offset, len)) => snippets.labels.push(LabeledSpan::new(Some(label), offset, len)),
                None => snippets.unreadable.push((place, label)),
            }
        }
        snippets
    }

    /// Whether there is anything to draw.
    pub(super) fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    fn span(&mut self, place: &Place, sources: &Sources) -> Option<(usize, usize)> {
        let source = sources.get(&place.file)?;
        let offset = source.offset(place.line, place.column)?;
        let rest = source.line(place.line)?.get(offset - source.line_start(place.line)?..)?;
        let len = extent(rest);
        Some((self.base_of(&place.file, &source) + offset, len))
    }

    fn base_of(&mut self, name: &str, source: &Arc<Source>) -> usize {
        if let Some(file) = self.files.iter().find(|file| file.name == name) {
            return file.base;
        }
        let base = self.files.last().map_or(0, |file| file.base + file.source.text.len() + 1);
        self.files.push(File { name: name.to_owned(), source: Arc::clone(source), base });
        base
    }
}

/// Places in order of first appearance, each with all that is said of it.
fn join_same_places(locations: &[Location]) -> Vec<(Place, String)> {
    let mut joined: Vec<(Place, String)> = Vec::new();
    for location in locations {
        match joined.iter_mut().find(|(place, _)| *place == location.place) {
            None => joined.push((location.place.clone(), location.label.clone())),
            Some((_, labels)) if labels.lines().any(|label| label == location.label) => {}
            Some((_, labels)) => {
                labels.push('\n');
                labels.push_str(&location.label);
            }
        }
    }
    joined
}

/// Length in bytes of the call, path or character at the start of `rest`, with what is dereferenced.
fn extent(rest: &str) -> usize {
    let pointed_to = rest.trim_start_matches(['*', '&', '(']);
    let prefix = rest.len() - pointed_to.len();
    let is_pointer =
        rest[..prefix].contains('*') && pointed_to.starts_with(|c: char| c.is_alphabetic() || c == '_');
    if is_pointer {
        let chain = chain(rest);
        return if chain <= LONGEST_CALL { chain } else { prefix };
    }
    let in_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let path = rest.find(|c| !in_path(c)).unwrap_or(rest.len());
    if path == 0 {
        return rest.chars().next().map_or(0, char::len_utf8);
    }
    let mut depth = 0_u32;
    for (at, c) in rest[path..].char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            let end = if c == ')' { path + at + 1 } else { path };
            return if end <= LONGEST_CALL { end } else { path };
        }
    }
    path
}

/// Length in bytes of the dereferenced expression at the start of `rest`: fields, calls and indices.
fn chain(rest: &str) -> usize {
    let mut depth = 0_u32;
    for (at, c) in rest.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' if depth == 0 => return at,
            ')' | ']' => depth -= 1,
            '*' | '&' | '.' | ':' | '_' => {}
            _ if depth == 0 && !c.is_alphanumeric() => return at,
            _ => {}
        }
    }
    rest.len()
}

impl SourceCode for Snippets {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let holds = |file: &&File| {
            file.base <= span.offset() && span.offset() + span.len() <= file.base + file.source.text.len()
        };
        let file = self.files.iter().find(holds).ok_or(MietteError::OutOfBounds)?;
        let (source, offset) = (&file.source, span.offset() - file.base);
        let last = source.line_at(offset + span.len().saturating_sub(1));
        let end = source.line_start(last.saturating_add(to_line(after)).saturating_add(1));
        let end = end.unwrap_or(source.text.len());
        let first = source.line_at(offset).saturating_sub(to_line(before)).max(1);
        let line_start = source.line_start(first).ok_or(MietteError::OutOfBounds)?;
        let start = if before == 0 { offset } else { line_start };
        let data = &source.text[start..end];
        let contents = MietteSpanContents::new_named(
            file.name.clone(),
            data.as_bytes(),
            (file.base + start, data.len()).into(),
            first as usize - 1,
            source.text[line_start..start].chars().count(),
            data.lines().count() + NEAR,
        );
        Ok(Box::new(contents))
    }
}

fn to_line(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_underlined_whole_if_it_ends_on_its_line() {
        let cases = [
            ("lock().unwrap();", "lock()"),
            ("Mutex::new(f(0));", "Mutex::new(f(0))"),
            ("spawn(move || {", "spawn"),
            ("left;", "left"),
            ("}", "}"),
            ("*SLOT.message.get() = message;", "*SLOT.message.get()"),
            ("(*self.value.get()).as_deref() }", "(*self.value.get()).as_deref()"),
            ("(*cells.0.add(i - 1)).x;", "(*cells.0.add(i - 1)).x"),
            ("*grid[i] += 1", "*grid[i]"),
            ("(a + b)", "("),
            ("é", "é"),
        ];
        for (rest, underlined) in cases {
            assert_eq!(&rest[..extent(rest)], underlined);
        }
    }

    #[test]
    fn a_span_over_two_files_is_refused() {
        let sources = Sources::default();
        sources.insert("a.rs", "one\ntwo\n");
        sources.insert("b.rs", "three\n");
        let mut snippets = Snippets::default();
        let place = |file: &str, line| Place { file: file.to_owned(), line, column: 1 };
        let (first, _) = snippets.span(&place("a.rs", 2), &sources).expect("it is there");
        let (second, _) = snippets.span(&place("b.rs", 1), &sources).expect("it is there");
        let read = |from, len| {
            snippets.read_span(&SourceSpan::new(from, len), 0, 0).map(|it| it.name().map(str::to_owned))
        };
        assert_eq!(read(first.into(), 3).ok().flatten().as_deref(), Some("a.rs"));
        assert_eq!(read(second.into(), 5).ok().flatten().as_deref(), Some("b.rs"));
        assert!(read(first.into(), second + 1 - first).is_err());
    }
}
