//! From the text of a file to its [`FileFacts`].
//!
//! Invariant: any text gives facts or a `problem`, never a panic and never an overflow of a stack of
//! [`STACK`] bytes: what nests deeper than [`nesting::DEEPEST`] is refused before it is parsed.

mod body;
mod calls;
mod comments;
mod conditions;
mod items;
mod macros;
mod statements;
mod written;

use std::collections::HashMap;

use proc_macro2::Span;

use super::facts::{Allow, FileFacts, Module, Pos, Sym};
use super::nesting;

/// Stack that [`extract`] needs. It is reserved and not used: memory is taken as deep as a text really nests.
pub const STACK: usize = 1 << 30;

/// Rust's edition, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edition {
    /// 2015, 2018 and 2021.
    Earlier,
    /// From 2024 on, temporaries of `if let` and of tail expressions end earlier.
    Year2024,
}

/// What a file says. `test` is for a file that is compiled for tests only.
#[must_use]
pub fn extract(text: &str, edition: Edition) -> FileFacts {
    let lines = u32::try_from(text.lines().count()).unwrap_or(u32::MAX);
    let refused = |problem: String| FileFacts { problem: Some(problem), lines, ..FileFacts::default() };
    if nesting::bound(text) > nesting::DEEPEST {
        return refused("it nests too deeply to be parsed".to_owned());
    }
    let parsed = syn::parse_file(text.strip_prefix('\u{feff}').unwrap_or(text));
    let facts = match parsed {
        Ok(file) => {
            let mut builder = Builder::new(edition);
            builder.items(&file.items, 0);
            builder.facts.allows = comments::allows(text, &file);
            FileFacts { lines, ..builder.facts }
        }
        Err(error) => {
            let start = error.span().start();
            refused(format!("it does not parse: line {}: {error}", start.line))
        }
    };
    // Spans keep the text that they came from for as long as the thread lives.
    proc_macro2::extra::invalidate_current_thread_spans();
    facts
}

/// What comments in a text allow.
#[must_use]
pub fn allows(text: &str) -> Vec<Allow> {
    if !text.contains(comments::MARKER) || nesting::bound(text) > nesting::DEEPEST {
        return Vec::new();
    }
    std::thread::scope(|scope| {
        let parse = || syn::parse_file(text).map(|file| comments::allows(text, &file)).unwrap_or_default();
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, parse);
        thread.ok().and_then(|thread| thread.join().ok()).unwrap_or_default()
    })
}

/// Facts under construction.
struct Builder {
    facts: FileFacts,
    interned: HashMap<String, Sym>,
    edition: Edition,
}

impl Builder {
    fn new(edition: Edition) -> Builder {
        let mut builder = Builder { facts: FileFacts::default(), interned: HashMap::new(), edition };
        let name = builder.word("");
        builder.facts.modules.push(Module { name, inline: true, ..Module::default() });
        builder
    }

    fn word(&mut self, text: &str) -> Sym {
        if let Some(&known) = self.interned.get(text) {
            return known;
        }
        let sym = u32::try_from(self.facts.names.len()).expect("a file is shorter than 4 GiB");
        self.facts.names.push(text.to_owned());
        self.interned.insert(text.to_owned(), sym);
        sym
    }

    fn ident(&mut self, ident: &proc_macro2::Ident) -> Sym {
        let text = ident.to_string();
        self.word(text.strip_prefix("r#").unwrap_or(&text))
    }

    fn path(&mut self, path: &syn::Path) -> Vec<Sym> {
        let mut words = Vec::with_capacity(path.segments.len());
        for segment in &path.segments {
            let word = self.ident(&segment.ident);
            words.push(word);
        }
        words
    }
}

/// Where a span begins.
fn pos(span: Span) -> Pos {
    let start = span.start();
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    Pos { line: number(start.line), column: number(start.column).saturating_add(1) }
}

/// What attributes say of conditional compilation.
fn condition(attributes: &[syn::Attribute]) -> Condition {
    let mut found = Condition::None;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")) {
        let syn::Meta::List(list) = &attribute.meta else { continue };
        let text: String = list.tokens.to_string().split_whitespace().collect();
        let is_test = text == "test" || text.starts_with("all(test,");
        found = if is_test && found != Condition::Other { Condition::Test } else { Condition::Other };
    }
    found
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    None,
    Test,
    Other,
}

/// Statements as a block.
fn statements_of(stmts: Vec<syn::Stmt>) -> syn::Block {
    syn::Block { brace_token: syn::token::Brace::default(), stmts }
}

#[cfg(test)]
mod tests;
