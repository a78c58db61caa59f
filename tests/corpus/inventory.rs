//! Nothing is forgotten: every source is a program that its package knows, is what its folder says,
//! and tells why.

use std::fs;
use std::path::Path;

use libtest_mimic::{Failed, Trial};

use crate::program::Program;

/// Tests of the corpus as a whole.
pub fn trials(root: &Path, programs: &[Program]) -> Vec<Trial> {
    let trial = |name: &str, problems: Vec<String>| {
        let verdict = if problems.is_empty() { Ok(()) } else { Err(Failed::from(problems.join("\n"))) };
        Trial::test(name, move || verdict)
    };
    vec![
        trial("every_source_is_a_program", unlisted(root, programs)),
        trial("every_program_says_why", silent(programs)),
        trial("racy_programs_and_no_others_are_marked", mismarked(programs)),
        trial("there_are_enough_programs_of_both_kinds", counted(programs)),
        trial("no_program_knows_the_tool", knowing(programs)),
    ]
}

fn unlisted(root: &Path, programs: &[Program]) -> Vec<String> {
    let is_listed = |program: &&Program| {
        let folder = program.name.split('/').next().unwrap_or_default();
        let list = root.join(program.package).join("src").join(folder).join("mod.rs");
        fs::read_to_string(list).is_ok_and(|text| text.contains(&format!("(\"{}\", ", program.name)))
    };
    let unlisted = programs.iter().filter(|program| !is_listed(program));
    unlisted.map(|program| format!("{} is not in the list of its folder's mod.rs", program.file)).collect()
}

fn silent(programs: &[Program]) -> Vec<String> {
    let begins = |program: &Program| if program.is_racy() { "//! Races: " } else { "//! Correct" };
    let silent = programs.iter().filter(|program| !program.text.starts_with(begins(program)));
    silent.map(|program| format!("{} does not begin with `{}`", program.file, begins(program))).collect()
}

fn mismarked(programs: &[Program]) -> Vec<String> {
    let wrong = programs.iter().filter(|program| program.is_racy() == program.marks.is_empty());
    wrong.map(|program| format!("{} has {} marks", program.file, program.marks.len())).collect()
}

/// As many as the corpus was asked to have, about half of each.
fn counted(programs: &[Program]) -> Vec<String> {
    let racy = programs.iter().filter(|program| program.is_racy()).count();
    let correct = programs.len() - racy;
    let is_enough = racy >= 40 && correct >= 40;
    if is_enough { Vec::new() } else { vec![format!("{racy} racy and {correct} correct programs")] }
}

fn knowing(programs: &[Program]) -> Vec<String> {
    let knowing = programs.iter().filter(|program| program.text.contains("snag"));
    knowing.map(|program| format!("{} mentions snag", program.file)).collect()
}
