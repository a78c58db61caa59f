//! Launching a program into a run folder and waiting for its end, with the watcher beside it.

use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::{io, thread};

use snag_trace::layout::RUN_ENV;

use crate::error::Error;
use crate::finding::ProgramStatus;
use crate::run::folder::RunFolder;
use crate::run::signals::Forwarding;
use crate::run::watch::{Watched, Watcher};

/// How a launched command ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The command's own status. `cargo run` replaces itself by the program, so it is that one's.
    pub status: ProgramStatus,
    /// What the watcher has seen.
    pub watched: Watched,
}

/// Runs the command to its end, recording into `run`.
///
/// # Errors
/// If it cannot be started.
pub fn launch(command: &mut Command, run: &RunFolder, test_harness: bool) -> Result<Outcome, Error> {
    let name = format!("{}", command.get_program().display());
    let failed = |error: io::Error| Error::Tool { command: name, reason: error.to_string() };
    command.env(RUN_ENV, &run.path);
    let signals = Forwarding::begin();
    let child = command.spawn().map_err(failed)?;
    signals.send_to(child.id());
    let mut watcher = Watcher::new(run.path.clone(), test_harness);
    let (ended, end) = mpsc::channel();
    let status = thread::scope(|scope| {
        scope.spawn(|| {
            let status = wait(child, &signals);
            let _ = ended.send(status);
        });
        loop {
            match end.recv_timeout(watcher.pause()) {
                Ok(status) => break Some(status),
                Err(RecvTimeoutError::Timeout) => watcher.look(),
                Err(RecvTimeoutError::Disconnected) => break None,
            }
        }
    });
    let status = status.and_then(Result::ok).map(program_status).unwrap_or_default();
    Ok(Outcome { status, watched: watcher.watched() })
}

/// Waits for the child's end, and forgets its number before the system may give it away again.
fn wait(mut child: Child, signals: &Forwarding) -> io::Result<ExitStatus> {
    // SAFETY: all-zero bytes are a valid siginfo, which the call only writes to.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: `info` is valid, and WNOWAIT leaves the child to be reaped below.
        let result =
            unsafe { libc::waitid(libc::P_PID, child.id(), &raw mut info, libc::WEXITED | libc::WNOWAIT) };
        if result == 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            break;
        }
    }
    signals.child_is_gone();
    child.wait()
}

fn program_status(status: ExitStatus) -> ProgramStatus {
    ProgramStatus { exit: status.code(), signal: status.signal() }
}

/// Replaces this process, for commands that are not recorded.
///
/// # Errors
/// If that fails; else it does not return.
pub fn replace_with(mut command: Command) -> Error {
    let reason = command.exec().to_string();
    Error::Tool { command: command.get_program().display().to_string(), reason }
}
