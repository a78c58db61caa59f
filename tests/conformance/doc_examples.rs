//! std's own doc examples, from the source pages of the installed `rust-docs`.
//!
//! The source pages, not the rendered ones, since those leave out the hidden lines of examples.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folders and files, below `std`'s source pages, of what the facade replaces.
const REPLACED: [&str; 14] = [
    "sync/mod.rs",
    "sync/barrier.rs",
    "sync/lazy_lock.rs",
    "sync/mpsc.rs",
    "sync/once.rs",
    "sync/once_lock.rs",
    "sync/poison.rs",
    "sync/poison/condvar.rs",
    "sync/poison/mutex.rs",
    "sync/poison/rwlock.rs",
    "thread/mod.rs",
    "thread/local.rs",
    "thread/builder.rs",
    "thread/functions.rs",
];
/// The same, where later versions of std have moved things to.
const REPLACED_LATER: [&str; 6] = [
    "thread/current.rs",
    "thread/id.rs",
    "thread/join_handle.rs",
    "thread/scoped.rs",
    "thread/thread.rs",
    "sync/poison/mod.rs",
];

/// What should become of an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// It compiles, and does whatever it does on plain std.
    Accepted,
    /// It does not compile.
    Refused,
}

/// One example.
#[derive(Debug)]
pub struct Example {
    /// File and line, as an identifier.
    pub name: String,
    /// What should become of it.
    pub expectation: Expectation,
    runs: bool,
    code: String,
}

impl Example {
    /// A program whose module has a `pub fn main`, as rustdoc would make it.
    pub fn program(&self) -> String {
        let code = &self.code;
        if !self.runs {
            return format!("pub fn main() {{}}\n\nfn compiled() {{\n{code}\n}}\n");
        }
        if code.contains("fn main()") {
            return code.replacen("fn main()", "pub fn main()", 1).replace("pub pub", "pub");
        }
        if let Some(end) = code.trim_end().rfind("Ok::<()") {
            let error = code[end..].split_once(',').and_then(|(_, rest)| rest.split_once('>'));
            let error = error.map_or("()", |(error, _)| error.trim());
            return format!(
                "pub fn main() {{\nfn example() -> Result<(), {error}> {{\n{code}\n}}\nexample().unwrap();\n}}\n"
            );
        }
        format!("pub fn main() {{\n{code}\n}}\n")
    }
}

/// All examples that stable Rust can be asked about; `None` if the documentation is not installed.
pub fn of_the_toolchain() -> Option<Vec<Example>> {
    let output = Command::new("rustc").args(["--print", "sysroot"]).output().expect("failed to run rustc");
    let sysroot = PathBuf::from(String::from_utf8(output.stdout).expect("a path").trim());
    let pages = sysroot.join("share/doc/rust/html/src/std");
    if !pages.is_dir() {
        return None;
    }
    let mut examples = Vec::new();
    for file in REPLACED.iter().chain(&REPLACED_LATER) {
        if let Ok(page) = fs::read_to_string(pages.join(format!("{file}.html"))) {
            collect(Path::new(file), &source_of(&page), &mut examples);
        }
    }
    Some(examples)
}

/// The source in a page: its code block without tags, line numbers and entities.
fn source_of(page: &str) -> String {
    let block = page.split_once("<pre class=\"rust\"><code>").map_or(page, |(_, rest)| rest);
    let mut rest = block.split_once("</code></pre>").map_or(block, |(block, _)| block);
    let mut source = String::new();
    while let Some((text, tail)) = rest.split_once('<') {
        source += text;
        // Line numbers are anchors that are not part of the snippet.
        rest = match tail.split_once('>') {
            Some((tag, tail)) if tag.contains("data-nosnippet") => {
                tail.split_once("</a>").map_or(tail, |(_, tail)| tail)
            }
            Some((_, tail)) => tail,
            None => "",
        };
    }
    source += rest;
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&#x27;", "'"), ("&amp;", "&")]
        .iter()
        .fold(source, |source, (entity, character)| source.replace(entity, character))
}

/// Adds the examples in a file's doc comments.
fn collect(file: &Path, source: &str, examples: &mut Vec<Example>) {
    let stem = file.with_extension("").to_string_lossy().replace('/', "_");
    let mut open: Option<Example> = None;
    for (number, line) in source.lines().enumerate() {
        let line = line.trim_start();
        let Some(text) = line.strip_prefix("///").or_else(|| line.strip_prefix("//!")) else { continue };
        let text = text.strip_prefix(' ').unwrap_or(text);
        match (text.trim_start().strip_prefix("```"), &mut open) {
            (Some(_), open @ Some(_)) => {
                let example = open.take().into_iter();
                examples.extend(example.filter(|example| !example.code.contains("#![feature(")));
            }
            (Some(attributes), None) => open = begin(format!("{stem}_{}", number + 1), attributes),
            (None, Some(example)) => example.code += &unhidden(text),
            (None, None) => {}
        }
    }
}

fn begin(name: String, attributes: &str) -> Option<Example> {
    let has = |what| attributes.split(',').any(|attribute| attribute.trim().starts_with(what));
    let ignored = ["text", "ignore", "console", "none", "custom"].into_iter().any(has);
    let expectation = if has("compile_fail") { Expectation::Refused } else { Expectation::Accepted };
    let example = Example { name, expectation, runs: !has("no_run"), code: String::new() };
    // What is not an example is read to its end all the same, and dropped.
    Some(if ignored { Example { code: "#![feature(ignored)]".into(), ..example } } else { example })
}

/// A line of an example, with what is hidden from readers.
fn unhidden(line: &str) -> String {
    let trimmed = line.trim_start();
    match trimmed.strip_prefix('#') {
        Some("") => "\n".into(),
        Some(hidden) if hidden.starts_with(' ') => format!("{hidden}\n"),
        Some(hidden) if hidden.starts_with('#') => format!("{hidden}\n"),
        _ => format!("{line}\n"),
    }
}
