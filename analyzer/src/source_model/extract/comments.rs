//! `// snag: allow(rule) reason`: what a comment allows, and where.
//!
//! On a line of its own it is about the statement or item that begins below it, at the end of a line about what
//! begins on that line, as the brackets of the text say.

use syn::spanned::Spanned as _;
use syn::visit::Visit;

use crate::source_model::facts::Allow;

pub(super) const MARKER: &str = "// snag: allow(";

/// All such comments of a file.
pub(super) fn allows(text: &str, file: &syn::File) -> Vec<Allow> {
    if !text.contains(MARKER) {
        return Vec::new();
    }
    let mut extents = Extents { lines: Vec::new() };
    extents.visit_file(file);
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let Some((before, rest)) = line.split_once(MARKER) else { continue };
        // In a string, or in a comment that quotes it.
        if before.matches('"').count() % 2 == 1 || before.contains("//") || before.contains('`') {
            continue;
        }
        let Some((rules, reason)) = rest.split_once(')') else { continue };
        let rules = rules.split(',').map(|rule| rule.trim().to_owned()).collect();
        let alone = before.trim().is_empty();
        let first = if alone { next_code(text, index + 1) } else { number };
        let last = extents.last_line(first);
        found.push(Allow { line: number, covers: (first, last), rules, reason: reason.trim().to_owned() });
    }
    found
}

/// Number of the first line after `index` lines that is neither empty nor a comment or attribute.
fn next_code(text: &str, index: usize) -> u32 {
    let is_code = |line: &str| !line.is_empty() && !line.starts_with("//") && !line.starts_with("#[");
    let skipped = text.lines().skip(index).position(|line| is_code(line.trim())).unwrap_or(0);
    u32::try_from(index + skipped + 1).unwrap_or(u32::MAX)
}

/// First and last lines of statements and items.
struct Extents {
    lines: Vec<(u32, u32)>,
}

impl Extents {
    fn add(&mut self, span: proc_macro2::Span) {
        let line = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        self.lines.push((line(span.start().line), line(span.end().line)));
    }

    /// Where the outermost of what begins on this line ends.
    fn last_line(&self, first: u32) -> u32 {
        let here = self.lines.iter().filter(|(start, _)| *start == first);
        here.map(|(_, end)| *end).max().unwrap_or(first)
    }
}

impl<'ast> Visit<'ast> for Extents {
    fn visit_stmt(&mut self, stmt: &'ast syn::Stmt) {
        self.add(stmt.span());
        syn::visit::visit_stmt(self, stmt);
    }

    fn visit_item(&mut self, item: &'ast syn::Item) {
        self.add(item.span());
        syn::visit::visit_item(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.lines.push((super::pos(item.vis.span()).line.min(super::pos(item.sig.span()).line), {
            u32::try_from(item.block.span().end().line).unwrap_or(u32::MAX)
        }));
        self.add(item.sig.span().join(item.block.span()).unwrap_or_else(|| item.span()));
        syn::visit::visit_impl_item_fn(self, item);
    }
}
