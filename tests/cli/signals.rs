//! Signals reach the program as they do without snag, and snag reports what was seen until then.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Output, Stdio};

use crate::project::{program, snag_in};

/// Starts a program that runs for long, and once it does, sends a signal: to its whole group as a
/// terminal would, or to snag alone.
fn interrupted(signal: libc::c_int, whole_group: bool) -> Output {
    let mut command = snag_in(&program(), ["run", "--quiet", "--", "sleep"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    // A test that was itself started in the background of a shell ignores interrupts, and would pass
    // that on.
    // SAFETY: `signal` may be called between fork and exec.
    unsafe {
        command.pre_exec(|| {
            libc::signal(libc::SIGINT, libc::SIG_DFL);
            Ok(())
        });
    }
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "sleeping\n");
    let pid = i32::try_from(child.id()).unwrap();
    // SAFETY: the child is not reaped yet, so the number is still its own and that of its group.
    unsafe { libc::kill(if whole_group { -pid } else { pid }, signal) };
    child.wait_with_output().unwrap()
}

fn assert_reported(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(report.contains("snag: no findings"), "{report}");
}

#[test]
fn an_interrupt_of_the_group_ends_the_program_and_snag_reports() {
    assert_reported(&interrupted(libc::SIGINT, true), 130);
}

#[test]
fn a_signal_to_snag_alone_is_passed_on() {
    assert_reported(&interrupted(libc::SIGTERM, false), 143);
    assert_reported(&interrupted(libc::SIGINT, false), 130);
}
