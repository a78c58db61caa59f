//! Any text gives facts or a problem: arbitrary bytes, soups of tokens, and nesting without end.

use std::thread;

use proptest::prelude::*;

use super::*;
use crate::source_model::facts::{Fate, Op};

/// On a stack as [`extract`] asks for.
fn on_a_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work).expect("a thread");
        thread.join().expect("it does not panic")
    })
}

const TOKENS: &[&str] = &[
    "fn f(m: &Mutex<u8>) {",
    "}",
    "{",
    "(",
    ")",
    "[",
    "]",
    "<",
    ">",
    "let _ =",
    "let g =",
    "m.lock()",
    ".unwrap()",
    ";",
    ",",
    "if",
    "let Some(x) =",
    "else",
    "match",
    "=>",
    "while",
    "loop",
    "for x in",
    "|| ",
    "move",
    "async",
    "await",
    ".",
    "?",
    "!",
    "&",
    "*",
    "unsafe",
    "impl",
    "mod a",
    "struct S",
    "static X: u8 =",
    "use a::",
    "'a",
    "'x'",
    "\"",
    "r#\"",
    "//",
    "/*",
    "*/",
    "1",
    "x",
    "=",
    "::",
    "#[cfg(test)]",
    "macro_rules! m",
    "vec![",
    "println!(",
    "return",
    "break",
    "as",
    "dyn",
    "self",
    "|",
    "-",
    "trait T",
    "where",
    "pub",
    "const",
    "é",
    "\u{0}",
    "\n",
    "lazy_static! {",
    "static ref Y: u8 = 1;",
    "matches!(x, ",
    "..",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_text_gives_facts_or_a_problem(text in "\\PC{0,200}") {
        on_a_stack(|| drop(extract(&text, Edition::Year2024)));
    }

    #[test]
    fn any_soup_of_tokens_gives_facts_or_a_problem(picks in prop::collection::vec(0..TOKENS.len(), 0..120)) {
        let text: Vec<&str> = picks.iter().map(|&pick| TOKENS[pick]).collect();
        let text = text.join(" ");
        on_a_stack(|| drop(extract(&text, Edition::Earlier)));
        let function = format!("fn f(m: &Mutex<u8>) {{ {text} }}");
        on_a_stack(|| drop(extract(&function, Edition::Year2024)));
    }
}

#[test]
fn what_nests_as_deep_as_is_allowed_fits_the_stack_and_what_nests_deeper_is_refused() {
    let shapes: [(&str, &str, &str); 9] = [
        ("(", "1", ")"),
        ("[", "1", "]"),
        ("{", "1", "}"),
        ("!", "true", ""),
        ("x.y().", "z()", ""),
        ("1 + ", "1", ""),
        ("if a { 1 } else ", "{ 2 }", ""),
        ("|| ", "1", ""),
        ("f(", "1", ")"),
    ];
    for (before, middle, after) in shapes {
        for count in [100, 1000, nesting::DEEPEST - 50, 200_000] {
            let text =
                format!("fn f() {{ let _ = {}{middle}{}; }}", before.repeat(count), after.repeat(count));
            let facts = on_a_stack(|| extract(&text, Edition::Year2024));
            assert!(count < 200_000 || facts.problem.is_some(), "{before}");
        }
    }
}

#[test]
fn what_becomes_of_a_value_is_told_by_syntax() {
    let fates = |body: &str| -> Vec<Fate> {
        let text = format!("fn f(m: &M) -> G {{ {body} }}");
        let facts = extract(&text, Edition::Year2024);
        let mut found = Vec::new();
        collect(&facts.functions[0].body, &mut found);
        found
    };
    fn collect(ops: &[Op], found: &mut Vec<Fate>) {
        for op in ops {
            match op {
                Op::Scope(_, inner) | Op::Temps(inner) | Op::Loop(inner) | Op::Assign(_, inner) => {
                    collect(inner, found)
                }
                Op::Branch(_, ways) => ways.iter().for_each(|way| collect(way, found)),
                Op::Call { fate, .. } => found.push(*fate),
                _ => {}
            }
        }
    }
    assert_eq!(fates("let g = m.lock().unwrap();"), [Fate::Local(1)]);
    assert_eq!(fates("let _ = m.lock().unwrap();"), [Fate::Discarded]);
    assert_eq!(fates("let _ = &m.lock();"), [Fate::Extended]);
    assert_eq!(fates("let g = &mut *m.lock().unwrap();"), [Fate::Extended]);
    assert_eq!(fates("let n = *m.lock().unwrap();"), [Fate::Temporary]);
    assert_eq!(fates("m.lock();"), [Fate::Unused]);
    assert_eq!(fates("m.lock()"), [Fate::Returned]);
    assert_eq!(fates("return m.lock();"), [Fate::Returned]);
    assert_eq!(fates("drop(m.lock());")[0], Fate::Moved);
    assert_eq!(fates("let g = { m.lock() };"), [Fate::Local(1)]);
    assert_eq!(fates("let g = match m.lock() { Ok(g) => g, Err(e) => e.into_inner() };")[0], Fate::Temporary);
}
