//! Edits of a source text by byte ranges, such that every line keeps its number.
//!
//! Invariant: a replacement has as many line ends as what it replaces, and an insertion has none, so
//! that locations in the edited text are lines of the original.

use std::ops::Range;

use proc_macro2::Span;

/// Edits of one text, applied together.
#[derive(Debug, Default)]
pub struct Edits {
    edits: Vec<(Range<usize>, String)>,
}

impl Edits {
    /// Inserts `text`, which has no line ends, before the byte `at`. Insertions at one place come
    /// out in the order in which they were asked for.
    pub fn insert(&mut self, at: usize, text: impl Into<String>) {
        self.edits.push((at..at, text.into()));
    }

    /// Inserts before what `span` covers.
    pub fn before(&mut self, span: Span, text: impl Into<String>) {
        self.insert(span.byte_range().start, text);
    }

    /// Inserts behind what `span` covers.
    pub fn after(&mut self, span: Span, text: impl Into<String>) {
        self.insert(span.byte_range().end, text);
    }

    /// Replaces what `span` covers by `text`, which has no line ends.
    pub fn replace(&mut self, span: Span, text: impl Into<String>) {
        self.edits.push((span.byte_range(), text.into()));
    }

    /// The edited text. An edit within a replaced range is lost.
    #[must_use]
    pub fn apply(mut self, source: &str) -> String {
        self.edits.sort_by_key(|(range, _)| range.start);
        let mut edited = String::with_capacity(source.len() * 2);
        let mut done = 0;
        for (range, text) in self.edits {
            if range.start < done {
                continue;
            }
            edited.push_str(&source[done..range.start]);
            edited.push_str(&text);
            let lines = source[range.clone()].matches('\n').count();
            edited.extend(std::iter::repeat_n('\n', lines));
            done = range.end;
        }
        edited.push_str(&source[done..]);
        edited
    }
}

/// The code of a file to be added elsewhere, behind a line end: without the words on the file itself.
#[must_use]
pub fn addition(code: &str) -> String {
    let lines = code.lines().filter(|line| !line.starts_with("//!"));
    lines.fold(String::new(), |text, line| text + "\n" + line) + "\n"
}

/// One line of code from one that was written on several.
#[must_use]
pub fn one_line(code: &str) -> String {
    let lines = code.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    lines.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replacement_keeps_the_number_of_lines() {
        let source = "a { b\nc\nd } e\nf";
        let edits = Edits { edits: vec![(2..11, "{}".to_owned())] };
        assert_eq!(edits.apply(source), "a {}\n\n e\nf");
    }

    #[test]
    fn insertions_at_one_place_keep_their_order() {
        let mut edits = Edits::default();
        edits.insert(1, "x");
        edits.insert(1, "y");
        assert_eq!(edits.apply("ab"), "axyb");
    }
}
