//! The compiler flags of the memory layer: LLVM's ThreadSanitizer pass, by stable flags alone.
//!
//! The pass puts a call of a `__tsan_*` function before each access to memory; `snag_runtime` has
//! these functions. `-Zsanitizer=thread` is not used: it is not stable, and sets a `cfg` under which
//! crates compile other code than they do for their users.
//!
//! Invariants:
//! * What the program does stays the same: of the user's own settings only those give way that would
//!   hide accesses (LTO, vectorised loops) or the places they are made at (no debug information,
//!   stripped symbols).
//! * std is instrumented by the same pass with the same options ([`crate::build::std_bitcode`]).
//!
//! Known misses: accesses wider than 16 bytes that the user's code makes by intrinsics of its own
//! (the pass knows no wider ones), inline assembly, code that another compiler made, and `fetch_max` and
//! `fetch_min`, which the pass leaves alone (who reads what they wrote is then ordered after everything,
//! so that they hide races and make none). A release by a read-modify-write that changes nothing,
//! `fetch_add(0, Release)`, which LLVM makes a fence and a load of.

use std::ffi::OsString;
use std::ops::Range;

use crate::build::cargo_config::values_of;

/// The passes. At opt-level 0 the pass instruments atomics only, unless functions have the attribute
/// that [`LLVM_OPTIONS`] forces upon them. `atomic-expand` must not come before it: it makes loops of
/// compare-exchange of `fetch_or` and its like, whose first load is a plain one. `dce` first: to ask for
/// an enum's tag, rustc loads the payload beside it as well, which the program never asked for.
pub const PASSES: &str = "forceattrs,tsan-module,function(dce,tsan)";

/// Whether functions say that they are entered and left: gives the stacks of earlier accesses.
const FUNCTION_ENTRY_EXIT: bool = true;

/// Options of LLVM.
pub const LLVM_OPTIONS: [&str; 3] = [
    "-force-attribute=sanitize_thread",
    if FUNCTION_ENTRY_EXIT {
        "-tsan-instrument-func-entry-exit=1"
    } else {
        "-tsan-instrument-func-entry-exit=0"
    },
    "-tsan-distinguish-volatile=1",
];

/// Flags that rustc gets behind the user's.
const FLAGS: [&str; 3] = [
    // Of vectorised accesses those of 32 bytes and those with a mask would go unseen.
    "-Cno-vectorize-loops",
    "-Cno-vectorize-slp",
    // A report names places by debug information.
    "-Cstrip=none",
];

/// Options of code generation that are taken away, without which a program does the same.
///
/// * LTO needs bitcode of the instrumented std, which has none, and binds a program's own allocator
///   before the linker can put ours in between. rustc's own "thin local LTO" stays.
/// * The passes of a list must all be of the kind of its first one: the user's could only be joined to
///   ours if they happened to be passes over modules.
const REMOVED: [&str; 3] = ["lto", "linker-plugin-lto", "passes"];

/// Every flag there is: where they differ, so does what is compiled with them.
#[must_use]
pub fn all_flags() -> Vec<&'static str> {
    [PASSES].into_iter().chain(LLVM_OPTIONS).chain(FLAGS).chain([ASSEMBLY.1]).collect()
}

/// A crate that says its atomics in inline assembly, which no pass sees, unless it is asked to let the
/// compiler make them: by its name, what is asked of it.
const ASSEMBLY: (&str, &str) = ("portable_atomic", "--cfg=portable_atomic_sanitize_thread");

/// Changes a command line of rustc, or of rustdoc for doctests, so that the crate is instrumented.
pub fn instrument(arguments: &mut Vec<OsString>) {
    remove(arguments);
    let options = codegen_options(arguments);
    let debuginfo = options.iter().filter_map(|option| option.value_of("debuginfo")).next_back();
    let has_debuginfo = debuginfo.is_some_and(names_functions);
    let given: Vec<_> = options
        .iter()
        .filter_map(|option| option.value_of("llvm-args"))
        .flat_map(str::split_whitespace)
        .map(|option| llvm_name(option).to_owned())
        .collect();
    arguments.push(format!("-Cpasses={PASSES}").into());
    for option in LLVM_OPTIONS {
        // LLVM refuses an option that is given twice: the user's wins. Attributes add up.
        let name = llvm_name(option);
        if name == "force-attribute" || !given.iter().any(|given| given == name) {
            arguments.push(format!("-Cllvm-args={option}").into());
        }
    }
    arguments.extend(FLAGS.map(OsString::from));
    if !has_debuginfo {
        arguments.push("-Cdebuginfo=1".into());
    }
    if values_of(arguments, "--crate-name").any(|name| name == ASSEMBLY.0) {
        arguments.push(ASSEMBLY.1.into());
    }
}

/// Takes [`REMOVED`] options from a command line.
fn remove(arguments: &mut Vec<OsString>) {
    let found = codegen_options(arguments);
    for option in found.iter().rev().filter(|option| REMOVED.contains(&&*option.name)) {
        arguments.drain(option.at.clone());
    }
}

/// Whether this level of debug information has the functions that were inlined, and not only lines.
fn names_functions(level: &str) -> bool {
    matches!(level, "1" | "2" | "limited" | "full")
}

/// The name in `-name=value` or `--name=value`.
fn llvm_name(option: &str) -> &str {
    option.trim_start_matches('-').split('=').next().unwrap_or_default()
}

/// An option of code generation on a command line of rustc.
struct CodegenOption {
    at: Range<usize>,
    name: String,
    value: String,
}

impl CodegenOption {
    fn value_of(&self, name: &str) -> Option<&str> {
        (self.name == name).then_some(&*self.value)
    }
}

/// All options of code generation, in any spelling, in order. `-g` is `debuginfo=2`.
fn codegen_options(arguments: &[OsString]) -> Vec<CodegenOption> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(argument) = arguments.get(at) {
        let text = argument.to_str().unwrap_or_default();
        let (option, len) = match text {
            "-C" | "--codegen" => (arguments.get(at + 1).and_then(|next| next.to_str()), 2),
            "-g" => (Some("debuginfo=2"), 1),
            _ => (text.strip_prefix("--codegen=").or_else(|| text.strip_prefix("-C")), 1),
        };
        if let Some(option) = option {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let (name, value) = (name.replace('_', "-"), value.to_owned());
            found.push(CodegenOption { at: at..(at + len).min(arguments.len()), name, value });
        }
        at += len;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instrumented(line: &str) -> Vec<String> {
        let mut arguments = line.split(' ').map(OsString::from).collect();
        instrument(&mut arguments);
        arguments.into_iter().map(|argument| argument.into_string().unwrap()).collect()
    }

    fn has(line: &[String], flag: &str) -> bool {
        line.iter().any(|argument| argument == flag)
    }

    #[test]
    fn debug_information_is_added_where_functions_would_have_no_names() {
        for line in ["a.rs", "-g a.rs -C debuginfo=0", "-Cdebuginfo=line-tables-only"] {
            assert!(has(&instrumented(line), "-Cdebuginfo=1"), "{line}");
        }
        for line in
            ["-C debuginfo=2", "-Cdebuginfo=0 -g", "--codegen debuginfo=limited", "--codegen=debuginfo=1"]
        {
            assert_eq!(
                instrumented(line).iter().filter(|flag| flag.contains("debuginfo=1")).count(),
                usize::from(line.ends_with('1')),
                "{line}"
            );
        }
    }

    #[test]
    fn lto_and_passes_are_taken_away_in_every_spelling_and_nothing_else_is() {
        let line = "-C opt-level=3 -C lto=fat -Clto --codegen lto=thin -C linker_plugin_lto -Cpasses=gvn -Clinker-plugin-lto=yes -Cltoo a";
        let left = instrumented(line);
        assert_eq!(left[..4], ["-C", "opt-level=3", "-Cltoo", "a"]);
    }

    #[test]
    fn an_option_of_llvm_that_the_user_gives_is_not_given_again() {
        let ours = "-Cllvm-args=-tsan-distinguish-volatile=1";
        assert!(has(&instrumented("a.rs"), ours));
        assert!(!has(&instrumented("-C llvm-args=-x=1\t--tsan-distinguish-volatile=0"), ours));
        let attribute = "-Cllvm-args=-force-attribute=sanitize_thread";
        assert!(has(&instrumented("-Cllvm-args=-force-attribute=cold"), attribute));
    }

    #[test]
    fn a_command_line_that_ends_within_an_option_stays() {
        assert_eq!(instrumented("a.rs -C")[..2], ["a.rs", "-C"]);
    }
}
